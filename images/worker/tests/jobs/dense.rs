//! Denser bodies, made once nobody waits.

use std::{fmt::Write, io::Read, time::Duration};

use pipeline::{
    key::Encoding,
    manifest::Manifest,
    record::{read_body, read_manifest},
};
use tokio::time::{sleep, timeout};

use crate::bench::Bench;

/// Words that repeat little.
fn long_sheet() -> String {
    let mut sheet = String::new();
    for number in 0_u32..2_000 {
        let word = number.wrapping_mul(2_654_435_761);
        writeln!(sheet, ".a{word:x} {{ width: {}px; }}", word % 9_973).unwrap();
    }
    sheet
}

impl Bench {
    /// The manifest once it has a dense body.
    async fn densified(&self, path: &str) -> Manifest {
        let key = self.job(path).key();
        let densified = async {
            loop {
                let stored = read_manifest(&*self.store, &key).await.unwrap().unwrap();
                let encodings = stored.manifest.good().unwrap().encodings;
                if encodings.iter().any(|body| body.encoding == Encoding::Br11) {
                    return stored.manifest;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(Duration::from_mins(1), densified).await.expect("no dense body was made")
    }
}

#[tokio::test]
async fn dense_body_is_added_afterwards_and_kept_by_refreshes() {
    let mut bench = Bench::start(&[("app.scss", &long_sheet()), ("small.scss", "a { b: c }")]);
    let job = bench.job("/app.css");
    let first = bench.run(&job).await;
    let manifest = bench.densified("/app.css").await;
    let encodings = manifest.good().unwrap().encodings;
    let length = |encoding| encodings.iter().find(|body| body.encoding == encoding).unwrap().length;
    assert!(length(Encoding::Br11) < length(Encoding::Br), "{encodings:?}");
    assert_eq!((manifest.modified_at, manifest.sources_read_at), (first.modified_at, first.sources_read_at));
    let digest = manifest.good().unwrap().digest;
    let dense = read_body(&*bench.store, &job.key(), &digest, Encoding::Br11).await.unwrap();
    assert_eq!(dense.len() as u64, length(Encoding::Br11));
    let mut css = String::new();
    brotli::Decompressor::new(&*dense, 4_096).read_to_string(&mut css).unwrap();
    assert_eq!(css, bench.css("/app.css", &manifest).await);

    let refresh = bench.refresh("/app.css");
    assert_eq!(bench.run(&refresh).await.good().unwrap().encodings, encodings);
    bench.stop().await;
}
