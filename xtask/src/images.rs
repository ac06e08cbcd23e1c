//! `cargo xtask images`: static binaries, and images that hold one of them and nothing else.
//!
//! A tag is derived from the content, so pods are replaced exactly when their program changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use cluster::cache::{key_of_files, write_whole};
use cluster::command::logged;
use cluster::images::{self, Image};
use cluster::packages;
use cluster::progress::Progress;
use cluster::{Cache, Cluster};
use serde::{Deserialize, Serialize};

use crate::{earlier, npm, profile};

/// What images are called before the name of their program.
const PREFIX: &str = "localhost/assetpipeline/";
/// Likewise, of the version that upgrades begin at.
const EARLIER: &str = "localhost/assetpipeline/earlier-";
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const BUSYBOX: &str = "/bin/busybox";
/// For the operator's linker, a tenth of the program: functions that came out the same are kept once, and what is to be relocated
/// at its start is told in a short form.
const LINKED_SMALL: [&str; 4] =
    ["-C", "link-arg=-Wl,--icf=all", "-C", "link-arg=-Wl,-z,pack-relative-relocs"];
/// Of what an image unpacks to.
const LARGEST: u64 = 40 * 1000 * 1000;
/// The name by which `examples/storefront.yaml` calls the origin, whatever its content.
const ORIGIN_IN_MANIFEST: &str = "localhost/assetpipeline/origin:latest";
/// In the cache: the references of the latest build.
const LATEST: &str = "images.json";

/// The images of one build, by reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    pub web: Tagged,
    pub worker: Tagged,
    pub operator: Tagged,
    pub origin: Tagged,
}

/// The images of an installation, without the example's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Programs {
    web: Tagged,
    worker: Tagged,
    operator: Tagged,
}

/// A reference in the two parts that charts ask for, and its archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tagged {
    pub repository: String,
    pub tag: String,
    pub(crate) archive: PathBuf,
}

impl Images {
    /// The Helm values that name them on the nodes of the local cluster.
    pub fn values(&self) -> Vec<String> {
        let Self { web, worker, operator, origin: _ } = self;
        vec![
            format!("image.repository={}", operator.repository),
            format!("image.tag={}", operator.tag),
            format!("web.image={}", web.reference()),
            format!("worker.image={}", worker.reference()),
        ]
    }
}

impl Tagged {
    pub fn reference(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// The last part of its repository.
    pub(crate) fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or(&self.repository)
    }

    fn image(&self) -> Image {
        Image { reference: self.reference(), archive: self.archive.clone() }
    }
}

#[derive(clap::Args)]
pub struct Arguments {
    /// Those of the version that the upgrade test begins at
    #[arg(long)]
    earlier: bool,
}

pub fn run(cache: &Cache, arguments: &Arguments) -> Result<ExitCode> {
    let progress = Progress::start();
    packages::ensure(&packages::NEEDED, cache, &progress)?;
    let images = if arguments.earlier {
        let Programs { web, worker, operator } = earlier::build(cache, &progress)?;
        vec![web, worker, operator]
    } else {
        let Images { web, worker, operator, origin } = build(cache, &progress)?;
        vec![web, worker, operator, origin]
    };
    for image in images {
        println!("{}  {} kB as an archive", image.reference(), size_of(&image.archive)? / 1000);
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds what changed and writes all references to the cache, where tests read them.
pub fn build(cache: &Cache, progress: &Progress) -> Result<Images> {
    let Programs { web, worker, operator } = build_programs(cache, PREFIX, progress)?;
    let images = Images { web, worker, operator, origin: build_origin(cache, progress)? };
    write_whole(&cache.root.join(LATEST), serde_json::to_vec_pretty(&images)?)?;
    Ok(images)
}

/// What was built last.
pub fn latest(cache: &Cache) -> Result<Images> {
    let file = fs::read(cache.root.join(LATEST)).context("no images: `cargo xtask images` builds them")?;
    serde_json::from_slice(&file).context("the list of images is none: `cargo xtask images` writes it anew")
}

/// Those of another checkout, which the present ones are kept beside.
pub(crate) fn build_earlier(cache: &Cache, progress: &Progress) -> Result<Programs> {
    build_programs(cache, EARLIER, progress)
}

fn build_programs(cache: &Cache, prefix: &str, progress: &Progress) -> Result<Programs> {
    let binaries = build_binaries(cache, progress)?;
    let image = |name: &str| build_program(cache, prefix, name, &binaries.join(name), progress);
    Ok(Programs { web: image("web")?, worker: image("worker")?, operator: image("operator")? })
}

/// Brings the images to the nodes of the running cluster.
pub fn import(cluster: &Cluster, images: &Images) -> Result<()> {
    let state = cluster.cache.state();
    for image in [&images.web, &images.worker, &images.operator, &images.origin] {
        images::import(&state, &image.image())?;
    }
    images::tag_again(&state, &images.origin.image(), ORIGIN_IN_MANIFEST)
}

/// Builds the programs without any library to load at run time, and answers their folder.
fn build_binaries(cache: &Cache, progress: &Progress) -> Result<PathBuf> {
    progress.say("building the static binaries (minutes the first time, then what changed)");
    // Both packages are named, so that what they share is built once and for both.
    let mut web = profile::build(cache, profile::STATIC)?;
    web.args(["--package", "web", "--package", "operator", "--bin", "web"]);
    let mut operator = profile::command(cache, "rustc", profile::STATIC)?;
    operator.args(["--package", "operator", "--bin", "operator", "--"]).args(LINKED_SMALL);
    let mut worker = profile::build(cache, &profile::worker_flags(cache)?)?;
    worker.args(["--package", "worker", "--bins"]);
    for (program, mut build) in [("web", web), ("operator", operator), ("worker", worker)] {
        let log = cache.root.join(format!("log/build-{program}.log"));
        logged(&mut build, &log, &format!("building the static binary of {program}"), progress)?;
    }
    profile::built(cache)
}

fn build_program(
    cache: &Cache,
    prefix: &str,
    name: &str,
    binary: &Path,
    progress: &Progress,
) -> Result<Tagged> {
    let dockerfile = cache.checkout.join("images").join(name).join("Dockerfile");
    let authorities = PathBuf::from(AUTHORITIES);
    let tag = key_of_files(&[binary.to_path_buf(), dockerfile.clone(), authorities.clone()])?;
    let context = new_context(cache, name)?;
    copy(binary, &context.join(name))?;
    copy(&authorities, &context.join("ca-certificates.crt"))?;
    let size = size_of(binary)? + size_of(&authorities)?;
    if size > LARGEST {
        bail!("image {name} would have {size} bytes, more than {LARGEST}");
    }
    finish(cache, &format!("{prefix}{name}"), tag, &dockerfile, &context, progress)
}

fn size_of(file: &Path) -> Result<u64> {
    Ok(fs::metadata(file).with_context(|| format!("cannot find {}", file.display()))?.len())
}

/// The example's origin: its files and Debian's static busybox, which serves them.
fn build_origin(cache: &Cache, progress: &Progress) -> Result<Tagged> {
    npm::ensure(&npm::EXAMPLE, cache, progress)?;
    let site = cache.checkout.join(npm::EXAMPLE.folder);
    let dockerfile = site.join("Dockerfile");
    let mut files = vec![dockerfile.clone(), PathBuf::from(BUSYBOX)];
    let context = new_context(cache, "origin")?;
    copy(Path::new(BUSYBOX), &context.join("busybox"))?;
    copy_site(&site, &context.join("site"), &mut files)?;
    finish(cache, &format!("{PREFIX}origin"), key_of_files(&files)?, &dockerfile, &context, progress)
}

fn finish(
    cache: &Cache,
    repository: &str,
    tag: String,
    dockerfile: &Path,
    context: &Path,
    progress: &Progress,
) -> Result<Tagged> {
    let image = images::build(cache, repository, &tag, dockerfile, context, progress)?;
    fs::remove_dir_all(context).with_context(|| format!("cannot remove {}", context.display()))?;
    Ok(Tagged { repository: repository.to_owned(), tag, archive: image.archive })
}

fn new_context(cache: &Cache, name: &str) -> Result<PathBuf> {
    let folder = cache.images().join(format!("context-{name}"));
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Cache::ensure(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display())).map(drop)
}

/// Copies what the site serves, in a stable order, and notes each file.
fn copy_site(from: &Path, to: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    Cache::ensure(to.to_path_buf())?;
    let entries = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().context("a file of the site has no name")?.to_owned();
        let hidden = name.to_string_lossy().starts_with('.');
        if hidden || name == "Dockerfile" || is_unserved(&path) {
            continue;
        }
        if path.is_dir() {
            copy_site(&path, &to.join(name), files)?;
        } else {
            copy(&path, &to.join(name))?;
            files.push(path);
        }
    }
    Ok(())
}

/// Of a package only its style sheets' sources are served.
fn is_unserved(path: &Path) -> bool {
    let in_package = path.components().any(|part| part.as_os_str() == "node_modules");
    in_package
        && path.is_file()
        && !path.extension().is_some_and(|extension| extension == "scss" || extension == "sass")
}
