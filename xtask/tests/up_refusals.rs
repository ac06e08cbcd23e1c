//! What `cargo xtask up` refuses in one line before anything is built or started.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

/// On a machine that knows no AWS, unless the variables say one.
fn check_refused(
    arguments: &[&str],
    variables: &[(&str, &str)],
    expected: impl FnOnce(&Path) -> String,
) -> Result<()> {
    let (home, cache) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let ended = Command::new(env!("CARGO_BIN_EXE_xtask"))
        .arg("up")
        .args(arguments)
        .env_clear()
        .env("HOME", home.path())
        .env("ASSETPIPELINE_CACHE", cache.path())
        .envs(variables.iter().copied())
        .output()?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(said, format!("error: {}\n", expected(home.path())), "{arguments:?}");
    assert_eq!((ended.status.code(), ended.stdout.len()), (Some(1), 0), "{arguments:?}");
    assert_eq!(fs::read_dir(cache.path())?.count(), 0, "something was made by {arguments:?}");
    Ok(())
}

#[test]
fn real_aws_names_all_that_is_missing_of_it() -> Result<()> {
    check_refused(&["--aws", "real"], &[], |home| {
        format!(
            "--aws real: no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a \
             profile of {}/.aws/credentials that has keys; no region: set AWS_REGION, such as eu-west-1",
            home.display()
        )
    })
}

#[test]
fn another_cluster_needs_a_registry_and_the_real_aws_and_the_local_one_no_registry() -> Result<()> {
    let aws = [("AWS_ACCESS_KEY_ID", "id"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_REGION", "eu-west-1")];
    let (context, repository) = (["--context", "shop"], ["--repository", "registry.example/assets"]);
    let real = ["--aws", "real"];
    let cases = [
        (
            [&["--context", ""][..], &repository, &real].concat(),
            "--context: name one of your kubeconfig's, which `kubectl config get-contexts` lists",
        ),
        (
            [&context[..], &real].concat(),
            "--context shop: add --repository REGISTRY/PREFIX, where that cluster's nodes fetch the images that are \
             pushed there",
        ),
        (
            [&context[..], &repository].concat(),
            "--context shop: add --aws real, since the emulator of AWS listens on this machine alone",
        ),
        (
            repository.to_vec(),
            "--repository: only with --context NAME, since the local cluster's nodes have images without a registry",
        ),
        (
            [&context[..], &real, &["--repository", "assets"]].concat(),
            "--repository assets: give a registry and a prefix in it, such as registry.example/assetpipeline",
        ),
    ];
    for (arguments, told) in cases {
        check_refused(&arguments, &aws, |_| told.to_owned())?;
    }
    Ok(())
}
