//! Compile options, and the fingerprint that names their effect.

use serde::{Deserialize, Serialize};

use crate::names::Fingerprint;

/// Raised whenever we resolve imports, hand sources over, or treat compiled CSS, differently: it is part of the fingerprint.
const RESOLUTION_VERSION: u32 = 4;

/// Raised whenever [`Engine::Auto`] chooses differently from the same sources: it is part of the fingerprint.
/// A test in the worker compares it with the list of what is chosen by.
pub const CHOICE_VERSION: u32 = 2;

/// How the CSS is laid out, as Sass's `--style` names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputStyle {
    #[default]
    Expanded,
    Compressed,
}

/// By which rule a compiler is chosen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Engine {
    /// grass, except where the sources hold what it is known to get wrong, or it reports an error: then
    /// sasso. The same sources always have the same compiler.
    #[default]
    Auto,
    Grass,
    Sasso,
}

impl Engine {
    pub const ALL: [Self; 3] = [Self::Auto, Self::Grass, Self::Sasso];

    /// The rule with everything that decides which bytes come out of it.
    fn effect(self) -> String {
        let (grass, sasso) = (SassEngine::Grass.label(), SassEngine::Sasso.label());
        match self {
            Self::Auto => format!("auto/{CHOICE_VERSION},{grass},{sasso}"),
            Self::Grass => grass.to_owned(),
            Self::Sasso => sasso.to_owned(),
        }
    }
}

/// A compiler that is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SassEngine {
    Grass,
    Sasso,
}

impl SassEngine {
    pub const ALL: [Self; 2] = [Self::Grass, Self::Sasso];

    /// Name and version, as manifests and answers tell it. A test compares them with the lock file.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Grass => "grass/0.13.4",
            Self::Sasso => "sasso/0.21.0",
        }
    }
}

/// What becomes of URLs in the CSS that are relative, or begin with `/`: they mean files of the site, which lie at
/// its origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UrlHandling {
    /// They are made absolute, below the site's URL.
    #[default]
    Rebase,
    /// They stay as they are.
    Keep,
}

/// Whether the CSS tells browsers which place in the Sass each of its places is from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceMaps {
    #[default]
    None,
    /// A source map with the sources' texts stands in a comment at the end; where the engine makes none, a comment
    /// that says so.
    Inline,
}

impl SourceMaps {
    // The signature is serde's.
    #[expect(clippy::trivially_copy_pass_by_ref)]
    fn is_none(&self) -> bool {
        *self == Self::None
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
    #[serde(default)]
    pub urls: UrlHandling,
    /// Left out where there are none, so that workers that do not know them take the jobs.
    #[serde(default, skip_serializing_if = "SourceMaps::is_none")]
    pub source_maps: SourceMaps,
}

impl CompileOptions {
    /// The fingerprint of these options as *this* build would carry them out. Two builds that would
    /// produce different bytes give different fingerprints, so neither overwrites the other's files.
    pub fn fingerprint(&self) -> Fingerprint {
        let Self { engine, style, urls, source_maps } = self;
        let engine = engine.effect();
        Fingerprint::of(&format!(
            "resolution={RESOLUTION_VERSION};engine={engine};style={style:?};urls={urls:?};\
             sourceMaps={source_maps:?}"
        ))
    }

    /// These options for a tenant that may have an engine of its own.
    pub fn with_engine(&self, engine: Option<Engine>) -> Self {
        Self { engine: engine.unwrap_or(self.engine), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_changes_the_fingerprint() {
        let plain = CompileOptions::default();
        let compressed = CompileOptions { style: OutputStyle::Compressed, ..plain.clone() };
        let kept = CompileOptions { urls: UrlHandling::Keep, ..plain.clone() };
        assert_ne!(plain.fingerprint(), compressed.fingerprint());
        assert_ne!(plain.fingerprint(), kept.fingerprint());
        let mapped = CompileOptions { source_maps: SourceMaps::Inline, ..plain.clone() };
        assert_ne!(plain.fingerprint(), mapped.fingerprint());
        assert_eq!(plain.fingerprint(), CompileOptions::default().fingerprint());
        let fingerprints = Engine::ALL.map(|engine| plain.with_engine(Some(engine)).fingerprint());
        let [auto, grass, sasso] = &fingerprints;
        assert!(auto != grass && auto != sasso && grass != sasso, "{fingerprints:?}");
        assert_eq!(plain.with_engine(None), plain);
    }

    #[test]
    fn fingerprint_of_a_rule_covers_the_engines_that_it_may_choose() {
        assert_eq!(Engine::Auto.effect(), "auto/2,grass/0.13.4,sasso/0.21.0");
        assert_eq!(Engine::Grass.effect(), "grass/0.13.4");
        assert_eq!(Engine::Sasso.effect(), "sasso/0.21.0");
    }

    #[test]
    fn engines_versions_are_the_locked_ones() {
        let lock = include_str!("../../../Cargo.lock");
        for engine in SassEngine::ALL {
            let (name, version) = engine.label().split_once('/').unwrap();
            assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"")), "{engine:?}");
        }
    }
}
