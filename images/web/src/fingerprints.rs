//! The fingerprints of the files of this process: one for each engine that a tenant may have.

use pipeline::{
    names::Fingerprint,
    options::{CompileOptions, Engine},
    tenant::Tenant,
};

/// Computed once: naming a visit's key costs a copy.
pub(crate) struct Fingerprints {
    /// Of tenants that leave the engine to the pipeline; names the release, too.
    of_pipeline: Fingerprint,
    auto: Fingerprint,
    grass: Fingerprint,
    sasso: Fingerprint,
}

impl Fingerprints {
    pub(crate) fn new(options: &CompileOptions) -> Self {
        let with = |engine| options.with_engine(Some(engine)).fingerprint();
        Self {
            of_pipeline: options.fingerprint(),
            auto: with(Engine::Auto),
            grass: with(Engine::Grass),
            sasso: with(Engine::Sasso),
        }
    }

    pub(crate) fn of_pipeline(&self) -> &Fingerprint {
        &self.of_pipeline
    }

    /// Of the tenant's files.
    pub(crate) fn of(&self, tenant: &Tenant) -> &Fingerprint {
        match tenant.engine {
            None => &self.of_pipeline,
            Some(Engine::Auto) => &self.auto,
            Some(Engine::Grass) => &self.grass,
            Some(Engine::Sasso) => &self.sasso,
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn tenant_has_the_fingerprint_of_its_jobs_options() {
        let options = CompileOptions { engine: Engine::Grass, ..CompileOptions::default() };
        let fingerprints = Fingerprints::new(&options);
        let mut tenant = Tenant::new(
            "a.example".parse().unwrap(),
            "shop-g1".parse().unwrap(),
            "http://origin.example/".parse().unwrap(),
        );
        for engine in [None, Some(Engine::Auto), Some(Engine::Grass), Some(Engine::Sasso)] {
            tenant.engine = engine;
            assert_eq!(*fingerprints.of(&tenant), options.with_engine(engine).fingerprint(), "{engine:?}");
        }
    }
}
