//! `cargo test --test corpus`: the same program among the tests, and of their build.

fn main() -> anyhow::Result<std::process::ExitCode> {
    corpus::run::main()
}
