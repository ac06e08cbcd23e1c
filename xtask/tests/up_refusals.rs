//! `cargo xtask up --aws real` on a machine that knows no AWS.

use std::fs;
use std::process::Command;

#[test]
fn one_line_says_what_is_missing_before_anything_is_built_or_started() {
    let (home, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ended = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .args(["up", "--aws", "real"])
        .env_clear()
        .env("HOME", home.path())
        .env("ASSETPIPELINE_CACHE", cache.path())
        .output()
        .unwrap();
    let expected = format!(
        "error: --aws real: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a \
         profile of {}/.aws/credentials that has keys; no region: set AWS_REGION, such as eu-west-1\n",
        home.path().display()
    );
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), expected);
    assert_eq!((ended.status.code(), ended.stdout.len()), (Some(1), 0));
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0, "something was made");
}
