//! What is read of this machine: variables, files below the home folder, and who it is.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cluster::cache::key_of_files;

const ID: &str = "/etc/machine-id";
const ID_LENGTH: usize = 8;

/// A machine's environment at one moment.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    variables: HashMap<String, String>,
}

impl Machine {
    /// The one that this process runs on.
    pub fn this() -> Self {
        Self::with(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))),
        )
    }

    pub fn with(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self { variables: variables.into_iter().collect() }
    }

    /// A variable that is set to nothing says nothing.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    /// The file that the variable names, or else the one below the home folder.
    pub(super) fn file(&self, variable: &str, otherwise: &str) -> PathBuf {
        let home = || Path::new(self.variables.get("HOME").map_or("/root", String::as_str)).join(otherwise);
        self.variable(variable).map_or_else(home, PathBuf::from)
    }
}

/// Short, and another one on another machine. It says nothing of the id that it is made of.
pub(super) fn identify() -> Result<String> {
    let key = key_of_files(&[PathBuf::from(ID)]).with_context(|| format!("cannot read {ID}"))?;
    Ok(key.chars().take(ID_LENGTH).collect())
}

/// A file's text; empty where there is no file.
pub(super) fn read(file: &Path) -> Result<String> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
    }
}
