//! Building images from Dockerfiles and bringing them to the nodes without a registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::binaries::Binaries;
use crate::cache::{Cache, key_of_files};
use crate::command::{capture, logged, output};
use crate::layout::NODES;
use crate::node::{NodeRun, PAUSE_IMAGE};
use crate::progress::Progress;

/// An image as a file that containerd can import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Name and tag, as pods call it.
    pub reference: String,
    pub archive: PathBuf,
}

/// Which program builds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Builder {
    Docker,
    Buildah,
}

impl Builder {
    fn find() -> Self {
        let answers = output(Command::new("docker").args(["info", "--format", "{{.ServerVersion}}"]));
        if answers.is_ok_and(|done| done.status.success()) { Self::Docker } else { Self::Buildah }
    }
}

/// Builds `Dockerfile` in `context` into an archive, unless an archive of that name is there.
pub fn build(
    cache: &Cache,
    name: &str,
    tag: &str,
    dockerfile: &Path,
    context: &Path,
    progress: &Progress,
) -> Result<Image> {
    let short = name.rsplit('/').next().unwrap_or(name);
    let archive = Cache::ensure(cache.images())?.join(format!("{short}-{tag}.tar"));
    let image = Image { reference: format!("{name}:{tag}"), archive };
    if image.archive.is_file() {
        return Ok(image);
    }
    progress.say(format!("building image {}", image.reference));
    let part = image.archive.with_extension("part");
    fs::remove_file(&part).ok();
    let log = cache.root.join(format!("log/image-{short}.log"));
    let run = |command: &mut Command| logged(command, &log, &format!("building image {short}"), progress);
    match Builder::find() {
        Builder::Docker => {
            let mut docker = Command::new("docker");
            docker.args(["build", "--tag", &image.reference, "--file"]).arg(dockerfile).arg(context);
            run(&mut docker)?;
            run(Command::new("docker").args(["save", "--output"]).arg(&part).arg(&image.reference))?;
            run(Command::new("docker").args(["rmi", &image.reference]))?;
        }
        Builder::Buildah => {
            let mut build = buildah(cache);
            build.args(["build", "--isolation", "chroot", "--tag", &image.reference, "--file"]);
            run(build.arg(dockerfile).arg(context))?;
            let target = format!("oci-archive:{}:{}", part.display(), image.reference);
            run(buildah(cache).args(["push", "--quiet", &image.reference, &target]))?;
            run(buildah(cache).args(["rmi", "--force", &image.reference]))?;
        }
    }
    remove_older(&cache.images(), short)?;
    fs::rename(&part, &image.archive).with_context(|| format!("cannot keep {}", image.archive.display()))?;
    Ok(image)
}

/// Removes the archives of an image's earlier contents.
fn remove_older(folder: &Path, short: &str) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name
            .strip_suffix(".tar")
            .and_then(|name| name.rsplit_once('-'))
            .is_some_and(|(own, _)| own == short)
        {
            fs::remove_file(entry.path()).with_context(|| format!("cannot remove {name}"))?;
        }
    }
    Ok(())
}

/// buildah with all its files in the cache.
fn buildah(cache: &Cache) -> Command {
    let mut command = Command::new("buildah");
    command
        .arg("--root")
        .arg(cache.root.join("buildah/root"))
        .arg("--runroot")
        .arg(cache.root.join("buildah/run"));
    command.args(["--storage-driver", "vfs"]).env("TMPDIR", cache.root.join("buildah"));
    command
}

/// The images that the cluster itself needs: pause and `CoreDNS`.
pub fn build_own(cache: &Cache, binaries: &Binaries, progress: &Progress) -> Result<(Image, Image)> {
    Ok((
        build_single(cache, PAUSE_IMAGE, &binaries.pause, progress)?,
        build_single(cache, "localhost/coredns", &binaries.coredns, progress)?,
    ))
}

/// An image that is one static binary.
fn build_single(cache: &Cache, name: &str, binary: &Path, progress: &Progress) -> Result<Image> {
    let tag = key_of_files(&[binary.to_path_buf()])?;
    let context = Cache::ensure(cache.images().join(format!("context-{tag}")))?;
    fs::copy(binary, context.join("program")).with_context(|| format!("cannot copy {}", binary.display()))?;
    let dockerfile = context.join("Dockerfile");
    fs::write(&dockerfile, "FROM scratch\nCOPY program /program\nENTRYPOINT [\"/program\"]\n")
        .context("cannot write a Dockerfile")?;
    let image = build(cache, name, &tag, &dockerfile, &context, progress)?;
    fs::remove_dir_all(&context).with_context(|| format!("cannot remove {}", context.display()))?;
    Ok(image)
}

/// Brings an image to all nodes that lack it, side by side. Answers whether any lacked it.
pub fn import(state: &Path, image: &Image) -> Result<bool> {
    std::thread::scope(|scope| {
        let imports: Vec<_> = NODES
            .iter()
            .map(|node| scope.spawn(|| import_to(&NodeRun { node: *node, state }, image)))
            .collect();
        let mut imported = false;
        for import in imports {
            imported |= import.join().map_err(|_| anyhow::anyhow!("an import panicked"))??;
        }
        Ok(imported)
    })
}

fn import_to(node: &NodeRun<'_>, image: &Image) -> Result<bool> {
    let filter = format!("name=={}", image.reference);
    if !capture(node.ctr().args(["images", "list", "--quiet", &filter]))?.trim().is_empty() {
        return Ok(false);
    }
    capture(node.ctr().args(["images", "import"]).arg(&image.archive))
        .with_context(|| format!("cannot bring {} to {}", image.reference, node.node.name))?;
    Ok(true)
}

/// Gives an image that all nodes have a second name, which may have meant another image before.
pub fn tag_again(state: &Path, image: &Image, reference: &str) -> Result<()> {
    for node in NODES {
        let node = NodeRun { node, state };
        capture(node.ctr().args(["images", "tag", "--force", &image.reference, reference]))?;
    }
    Ok(())
}
