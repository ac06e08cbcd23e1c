//! An earlier version, as `cargo xtask images --earlier` has built it.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use cluster::{
    command::capture,
    images::{Image, import},
};
use serde::Deserialize;
use tests::release::Release;

/// Its chart and its images.
#[derive(Deserialize)]
pub(crate) struct Earlier {
    commit: String,
    chart: PathBuf,
    images: Images,
}

#[derive(Deserialize)]
struct Images {
    web: Tagged,
    worker: Tagged,
    operator: Tagged,
}

#[derive(Deserialize)]
struct Tagged {
    repository: String,
    tag: String,
    archive: PathBuf,
}

impl Tagged {
    fn reference(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }
}

impl Earlier {
    pub(crate) fn find(release: &Release) -> Result<Self> {
        let told = fs::read(release.cluster.cache.root.join("earlier.json"));
        let told = told.context("the earlier version is not built: run `cargo xtask images --earlier`")?;
        serde_json::from_slice(&told).context("the cache's earlier.json is of another form")
    }

    /// In place of the present one.
    pub(crate) fn install(&self, release: &Release) -> Result<()> {
        let Self { commit, chart, images: Images { web, worker, operator } } = self;
        println!("from {commit}");
        for image in [web, worker, operator] {
            let image = Image { reference: image.reference(), archive: image.archive.clone() };
            import(&release.cluster.cache.state(), &image)?;
        }
        let values = [
            format!("image.repository={}", operator.repository),
            format!("image.tag={}", operator.tag),
            format!("web.image={}", web.reference()),
            format!("worker.image={}", worker.reference()),
        ];
        capture(&mut release.upgrade(chart, &values)).map(drop)
    }
}
