//! `cargo run --release -p corpus`: everything, or what the command line names.

fn main() -> anyhow::Result<std::process::ExitCode> {
    corpus::run::main()
}
