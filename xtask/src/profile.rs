//! `cargo xtask profile`: lets a worker do its work and writes down which ways its code takes, so that it is
//! compiled for them (profile-guided optimization).
//!
//! The profile is kept beside the worker. It holds for one version of the compiler, whose name it has, and for the
//! code that it was made with: a function that has changed since is compiled without it.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::{fs, io};

use anyhow::{Context, Result, bail};
use cluster::Cache;
use cluster::cache::{key_of_files, write_whole};
use cluster::command::{capture, logged};
use cluster::progress::Progress;

use crate::cargo::{cargo, host_triple};
use crate::npm;

/// Of all that ships: without any library to load at run time.
pub const STATIC: &str = "-C target-feature=+crt-static";
/// What a profiled build counts with.
const COUNTING: &str = "-C profile-generate --cfg training";
/// Where LLVM writes the counts, a file for each process.
const COUNTS: &str = "LLVM_PROFILE_FILE";
const TRAINED: &str = "bench_compile";

pub fn run(cache: &Cache) -> Result<ExitCode> {
    let progress = Progress::start();
    npm::ensure(&npm::EXAMPLE, cache, &progress)?;
    npm::ensure(&npm::CORPUS, cache, &progress)?;
    let merger = ensure_merger()?;
    let mut build = build(cache, &format!("{STATIC} {COUNTING}"))?;
    build.args(["--package", TRAINED]);
    progress.say("building a worker that counts (minutes)");
    logged(
        &mut build,
        &cache.root.join("log/build-profiled.log"),
        "building a worker that counts",
        &progress,
    )?;
    let counts = cache.root.join("tmp/counts");
    remove(&counts)?;
    progress.say("letting it work");
    let mut train = Command::new(built(cache)?.join(TRAINED));
    train.arg("--train").arg("--checkout").arg(&cache.checkout).env(COUNTS, counts.join("%p.profraw"));
    logged(&mut train, &cache.root.join("log/profile.log"), "letting it work", &progress)?;
    let profile = file(cache)?;
    Cache::ensure(profile.with_file_name(""))?;
    let mut merge = Command::new(merger);
    // Whichever child was ended has left a part of a file. What was never called is left out, and not taken for
    // rare.
    merge.args(["merge", "--sparse", "--failure-mode=all", "--output"]).arg(&profile).arg(&counts);
    logged(&mut merge, &cache.root.join("log/profile-merge.log"), "merging the counts", &progress)?;
    remove(&counts)?;
    println!("{}", profile.display());
    Ok(ExitCode::SUCCESS)
}

/// `cargo build` of what ships, or is to be measured as if it did, by these compiler's flags.
pub fn build(cache: &Cache, flags: &str) -> Result<Command> {
    command(cache, "build", flags)
}

/// Likewise, by `cargo rustc` where the program alone, and no crate of it, takes further flags.
pub fn command(cache: &Cache, command: &str, flags: &str) -> Result<Command> {
    let mut build = cargo(cache)?;
    build.env("CARGO_TARGET_DIR", cache.root.join(FOLDER)).env("RUSTFLAGS", flags);
    build.args([command, "--locked", "--release", "--target", &host_triple()?]);
    Ok(build)
}

/// Where such a build leaves its programs.
pub fn built(cache: &Cache) -> Result<PathBuf> {
    Ok(cache.root.join(FOLDER).join(host_triple()?).join("release"))
}

const FOLDER: &str = "target-images";

/// The compiler's flags for the worker, as it ships.
pub fn worker_flags(cache: &Cache) -> Result<String> {
    let profile = file(cache)?;
    if !profile.exists() {
        bail!("{} is not there: `cargo xtask profile` makes it for this version of rustc", profile.display());
    }
    // By a name that tells its content and no checkout, for the flags are part of what is built.
    let key = key_of_files(std::slice::from_ref(&profile))?;
    let kept = Cache::ensure(cache.root.join("profiles"))?.join(key);
    if !kept.exists() {
        let content = fs::read(&profile).with_context(|| format!("cannot read {}", profile.display()))?;
        write_whole(&kept, content)?;
    }
    Ok(format!("{STATIC} -C profile-use={}", kept.display()))
}

fn file(cache: &Cache) -> Result<PathBuf> {
    let version = capture(Command::new("rustc").arg("-vV"))?;
    let release = version.lines().find_map(|line| line.strip_prefix("release: "));
    let release = release.context("`rustc -vV` names no release")?;
    Ok(cache.checkout.join(format!("images/worker/profile/rustc-{release}.profdata")))
}

/// LLVM's own tool, of the compiler's version.
fn ensure_merger() -> Result<PathBuf> {
    let libraries = capture(Command::new("rustc").args(["--print", "target-libdir"]))?;
    let merger = PathBuf::from(libraries.trim()).with_file_name("bin").join("llvm-profdata");
    if !merger.exists() {
        capture(Command::new("rustup").args(["component", "add", "llvm-tools"]))?;
    }
    if !merger.exists() {
        bail!("{} is not there: it comes with rustup's component llvm-tools", merger.display());
    }
    Ok(merger)
}

fn remove(folder: &PathBuf) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
