//! Images in a registry, where a cluster's nodes fetch them: by digest, so that whoever moves a tag moves no pod.
//!
//! Who may push is known to the registry's own tools: skopeo reads what `docker login` and `skopeo login` have
//! written.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use cluster::Cache;
use cluster::command::{logged, output};
use cluster::progress::Progress;

use crate::images::{Images, Tagged};
use crate::loopback::is_loopback;

/// All layers of one image over a slow line.
const PUSHED_WITHIN: &str = "--command-timeout=15m";

/// A registry, and in it the prefix below which images lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    registry: String,
    prefix: String,
}

/// An image as its registry keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub repository: String,
    /// Of its manifest: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
}

/// The images of one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    pub web: Stored,
    pub worker: Stored,
    pub operator: Stored,
    pub origin: Stored,
}

impl Repository {
    pub fn parse(text: &str) -> Result<Self> {
        let (registry, prefix) = text.split_once('/').unwrap_or((text, ""));
        // As image references are read: what has neither is no host, but a name in a registry that nobody named.
        let is_host = registry.contains(['.', ':']) || registry == "localhost";
        let is_part = |part: &str| {
            let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
            !part.is_empty() && part.bytes().all(is_allowed)
        };
        ensure!(
            is_host && prefix.split('/').all(is_part),
            "--repository {text}: give a registry and a prefix in it, such as registry.example/assetpipeline"
        );
        Ok(Self { registry: registry.to_owned(), prefix: prefix.to_owned() })
    }

    /// Pushes what the registry lacks of these images.
    pub fn push(&self, images: &Images, cache: &Cache, progress: &Progress) -> Result<Pushed> {
        let Images { web, worker, operator, origin } = images;
        progress.say(format!("pushing the images to {}/{}", self.registry, self.prefix));
        let push = |image: &Tagged| self.push_one(image, cache, progress);
        Ok(Pushed {
            web: push(web)?,
            worker: push(worker)?,
            operator: push(operator)?,
            origin: push(origin)?,
        })
    }

    fn push_one(&self, image: &Tagged, cache: &Cache, progress: &Progress) -> Result<Stored> {
        let repository = format!("{}/{}/{}", self.registry, self.prefix, image.name());
        let temporary = Cache::ensure(cache.root.join("tmp"))?;
        let digest = temporary.join(format!("digest-{}", image.name()));
        let mut skopeo = Command::new("skopeo");
        // The policy is about images of others.
        skopeo.args(["--insecure-policy", PUSHED_WITHIN, "copy", "--digestfile"]).arg(&digest);
        if is_loopback(&self.registry) {
            // As Docker and containerd have it: what does not leave the machine needs no TLS.
            skopeo.arg("--dest-tls-verify=false");
        }
        skopeo.arg(format!("{}:{}", kind_of(&image.archive)?, image.archive.display()));
        skopeo.arg(format!("docker://{repository}:{}", image.tag)).env("TMPDIR", &temporary);
        let log = cache.root.join(format!("log/push-{}.log", image.name()));
        logged(&mut skopeo, &log, &format!("pushing {repository}"), progress)?;
        let written = fs::read_to_string(&digest).with_context(|| format!("{repository} has no digest"))?;
        fs::remove_file(&digest).with_context(|| format!("cannot remove {}", digest.display()))?;
        Ok(Stored { repository, digest: written.trim().to_owned() })
    }
}

/// How skopeo calls what has made an archive: buildah makes one, and Docker, by its version, one or the other.
fn kind_of(archive: &Path) -> Result<&'static str> {
    if !archive.is_file() {
        bail!("{} is not there: `cargo xtask images` builds it", archive.display());
    }
    let marked = output(Command::new("tar").arg("--list").arg("--file").arg(archive).arg("oci-layout"))?;
    Ok(if marked.status.success() { "oci-archive" } else { "docker-archive" })
}

impl Stored {
    pub fn reference(&self) -> String {
        format!("{}@{}", self.repository, self.digest)
    }
}

impl Pushed {
    /// The Helm values that name them.
    pub fn values(&self) -> Vec<String> {
        let Self { web, worker, operator, origin: _ } = self;
        vec![
            format!("image.repository={}", operator.repository),
            format!("image.digest={}", operator.digest),
            format!("web.image={}", web.reference()),
            format!("worker.image={}", worker.reference()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_is_a_registry_and_a_prefix() {
        for (text, registry, prefix) in [
            ("registry.example/assets", "registry.example", "assets"),
            ("localhost:5001/a/b-c", "localhost:5001", "a/b-c"),
            ("localhost/a", "localhost", "a"),
        ] {
            let right = Repository { registry: registry.to_owned(), prefix: prefix.to_owned() };
            assert_eq!(Repository::parse(text).unwrap(), right);
        }
        for text in [
            "",
            "registry.example",
            "registry.example/",
            "library/assets",
            "https://registry.example/assets",
            "registry.example/assets:1",
            "registry.example/Assets",
        ] {
            let refused = Repository::parse(text).unwrap_err().to_string();
            let told = "give a registry and a prefix in it, such as registry.example/assetpipeline";
            assert_eq!(refused, format!("--repository {text}: {told}"));
        }
    }
}
