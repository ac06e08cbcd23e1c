//! A compile outside of any job, for measurements and for tests of what lies between parent and child.

use std::sync::Arc;

use pipeline::{chain, options::CompileOptions, ports::Origin};
use url::Url;

use super::{Compiler, Recipe};
use crate::{closure::Sources, make::make, settings::SOURCE_LIMITS, spans::Spans};

/// One style sheet of an origin. What was fetched for one compile is known to the next.
pub struct LoneSheet {
    sources: Sources,
    entry: String,
    options: CompileOptions,
}

impl LoneSheet {
    pub fn new(origin: Arc<dyn Origin>, base: Url, entry: &str, options: CompileOptions) -> Self {
        Self { sources: Sources::new(origin, base, SOURCE_LIMITS), entry: entry.to_owned(), options }
    }

    /// The style sheet, or why there is none.
    pub async fn compile(&mut self, compiler: &Compiler) -> Result<String, String> {
        let Self { sources, entry, options } = self;
        sources.read(entry).await.map_err(|error| chain(&error))?;
        let made = make(
            compiler,
            Recipe { entry, load_paths: &[], site: None, options },
            sources,
            &Spans::default(),
        )
        .await;
        made.map(|made| made.css).map_err(|error| chain(&error))
    }
}
