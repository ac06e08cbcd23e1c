//! Style sheets that a test has made.

use std::{fs, sync::Arc, time::Duration};

use pipeline::options::CompileOptions;
use tokio::time::timeout;
use url::Url;
use worker::{Compiled, Compiler, LoneSheet, origin::FileOrigin};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Site {
    folder: tempfile::TempDir,
    origin: Arc<FileOrigin>,
}

impl Site {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let origin = Arc::new(FileOrigin { root: folder.path().to_owned(), load_roots: Vec::new() });
        Self { folder, origin }
    }

    /// What a compile of this text comes to.
    pub(crate) async fn compile(
        &self,
        compiler: &Compiler,
        tenant: Option<&str>,
        text: &str,
    ) -> Result<Compiled, String> {
        fs::write(self.folder.path().join("a.scss"), text).unwrap();
        let base = Url::from_directory_path(self.folder.path()).unwrap();
        let mut sheet = LoneSheet::new(self.origin.clone(), base, "/a.scss", CompileOptions::default());
        if let Some(tenant) = tenant {
            sheet = sheet.of_tenant(tenant.parse().unwrap());
        }
        timeout(PATIENCE, sheet.compile(compiler)).await.unwrap()
    }

    /// One rule.
    pub(crate) async fn compile_a_little(&self, compiler: &Compiler, tenant: Option<&str>) {
        let made = self.compile(compiler, tenant, "a { b: c }").await.unwrap();
        assert_eq!(made.css, "a {\n  b: c;\n}\n");
    }
}
