//! A compile outside of any job, for measurements and for tests of what lies between parent and child.

use std::sync::Arc;

use pipeline::{chain, names::TenantId, options::CompileOptions, ports::Origin};
use url::Url;

use super::{Compiled, Compiler, Recipe};
use crate::{closure::Sources, make::make, settings::SOURCE_LIMITS, spans::Spans};

/// One style sheet of an origin. What was fetched for one compile is known to the next.
pub struct LoneSheet {
    tenant: Option<TenantId>,
    sources: Sources,
    entry: String,
    load_paths: Vec<String>,
    options: CompileOptions,
}

impl LoneSheet {
    pub fn new(origin: Arc<dyn Origin>, base: Url, entry: &str, options: CompileOptions) -> Self {
        let sources = Sources::new(origin, base, SOURCE_LIMITS);
        Self { tenant: None, sources, entry: entry.to_owned(), load_paths: Vec::new(), options }
    }

    /// The same, of a tenant whose children serve it; else each compile has a child of its own.
    pub fn of_tenant(self, tenant: TenantId) -> Self {
        Self { tenant: Some(tenant), ..self }
    }

    /// The same, with folders of the origin where imports are looked up, too.
    pub fn with_load_paths(self, load_paths: Vec<String>) -> Self {
        Self { load_paths, ..self }
    }

    /// The style sheet, or why there is none.
    pub async fn compile(&mut self, compiler: &Compiler) -> Result<Compiled, String> {
        let Self { tenant, sources, entry, load_paths, options } = self;
        sources.read(entry).await.map_err(|error| chain(&error))?;
        let recipe = Recipe { tenant: tenant.as_ref(), entry, load_paths, site: None, options };
        make(compiler, recipe, sources, &Spans::default()).await.map_err(|error| chain(&error))
    }
}
