//! Compile options, and the fingerprint that names their effect.

use serde::{Deserialize, Serialize};

use crate::names::Fingerprint;

/// Raised whenever we resolve imports, or treat compiled CSS, differently: it is part of the fingerprint.
const RESOLUTION_VERSION: u32 = 1;

/// The version of grass that the workspace builds with; a test compares it with the lock file.
pub const GRASS_VERSION: &str = "0.13.4";

/// How the CSS is laid out, as Sass's `--style` names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputStyle {
    #[default]
    Expanded,
    Compressed,
}

/// Which compiler makes the CSS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Engine {
    #[default]
    Grass,
}

impl Engine {
    /// Name and version, as manifests record it: `grass/0.13.4`.
    pub fn label(self) -> String {
        match self {
            Self::Grass => format!("grass/{GRASS_VERSION}"),
        }
    }
}

/// Everything that decides a file's bytes and is the same for all tenants of a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompileOptions {
    #[serde(default)]
    pub engine: Engine,
    #[serde(default)]
    pub style: OutputStyle,
}

impl CompileOptions {
    /// The fingerprint of these options as *this* build would carry them out. Two builds that would
    /// produce different bytes give different fingerprints, so neither overwrites the other's files.
    pub fn fingerprint(&self) -> Fingerprint {
        let Self { engine, style } = self;
        Fingerprint::of(&format!("resolution={RESOLUTION_VERSION};engine={};style={style:?}", engine.label()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_changes_the_fingerprint() {
        let plain = CompileOptions::default();
        let compressed = CompileOptions { style: OutputStyle::Compressed, ..plain.clone() };
        assert_ne!(plain.fingerprint(), compressed.fingerprint());
        assert_eq!(plain.fingerprint(), CompileOptions::default().fingerprint());
    }

    #[test]
    fn grass_version_is_the_locked_one() {
        let lock = include_str!("../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"grass\"\nversion = \"{GRASS_VERSION}\"")));
    }
}
