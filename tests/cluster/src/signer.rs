//! The key by which the emulator signs what it posts as SNS, and the authority that vouches for it.
//!
//! On AWS the authority is a public one. Here it is made anew for each folder, and pods are told of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::cache::Cache;
use crate::command::capture;

/// The name that SNS's own certificates carry.
const NAME: &str = "sns.amazonaws.com";

/// A folder with the signer's key and certificates.
#[derive(Debug, Clone)]
pub struct Signer {
    folder: PathBuf,
}

impl Signer {
    /// The signer of the cluster whose state lies in this folder.
    pub fn in_state(state: &Path) -> Self {
        Self::in_folder(state.join("sns"))
    }

    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Creates key and certificates unless they are there.
    pub fn ensure(&self) -> Result<()> {
        if self.certificate().exists() {
            return Ok(());
        }
        Cache::ensure(self.folder.clone())?;
        let request = self.folder.join("signer.csr");
        let extensions = self.folder.join("signer.ext");
        fs::write(&extensions, format!("extendedKeyUsage=serverAuth\nsubjectAltName=DNS:{NAME}\n"))
            .context("cannot write the extensions of a certificate")?;
        let authority_key = self.folder.join("authority.key");
        capture(openssl(&["genrsa", "-out"]).arg(&authority_key).arg("2048"))?;
        capture(openssl(&["genrsa", "-out"]).arg(self.key()).arg("2048"))?;
        let mut authority =
            openssl(&["req", "-x509", "-new", "-days", "3650", "-subj", "/CN=local SNS authority"]);
        authority.args(["-addext", "keyUsage=critical,keyCertSign"]).arg("-key").arg(&authority_key);
        capture(authority.arg("-out").arg(self.authority()))?;
        let mut ask = openssl(&["req", "-new", "-subj", &format!("/CN={NAME}"), "-key"]);
        capture(ask.arg(self.key()).arg("-out").arg(&request))?;
        let mut sign = openssl(&["x509", "-req", "-days", "3650", "-CAcreateserial"]);
        sign.arg("-CA").arg(self.authority()).arg("-CAkey").arg(&authority_key);
        sign.arg("-extfile").arg(&extensions).arg("-in").arg(&request);
        capture(sign.arg("-out").arg(self.certificate())).map(drop)
    }

    /// PEM of the authority, for those who verify.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("authority.crt")
    }

    /// What the emulator's program is told about its key.
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [("SNS_SIGNER_KEY", self.key()), ("SNS_SIGNER_CERTIFICATE", self.certificate())]
    }

    fn key(&self) -> PathBuf {
        self.folder.join("signer.key")
    }

    fn certificate(&self) -> PathBuf {
        self.folder.join("signer.crt")
    }
}

fn openssl(arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(arguments);
    command
}
