//! The code bases from npm: which file of which pinned package is compiled.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{Job, Style};

/// A package's style sheet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CodeBase {
    pub name: String,
    /// Below `node_modules`; or, where it starts with `./`, beside the list: what a package's users write.
    pub entry: String,
    /// Below `node_modules`; the folder itself is always the last.
    #[serde(default)]
    pub load_paths: Vec<String>,
}

/// Reads the list.
pub fn read_all(list: &Path) -> Result<Vec<CodeBase>> {
    let text = fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no list of code bases", list.display()))
}

impl CodeBase {
    /// The job, with the list in `folder` and the packages in `modules`.
    pub fn job(&self, folder: &Path, modules: &Path) -> Job {
        let entry = match self.entry.strip_prefix("./") {
            Some(own) => folder.join(own),
            None => modules.join(&self.entry),
        };
        let load_paths = self.load_paths.iter().map(|path| modules.join(path)).chain([modules.to_owned()]);
        Job { name: self.name.clone(), entry, load_paths: load_paths.collect(), style: Style::Expanded }
    }
}
