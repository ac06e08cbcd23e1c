//! `cargo xtask simulate`: the scaling of workers under a trace, in virtual time, beside KEDA and the best that
//! knows no future.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use cluster::cache::write_whole;
use simulate::{TRACES, Trace, compare, draw};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A file that tells of a load, or the name of one that is there already; without it all of those
    trace: Option<String>,
    /// The folder for the drawings
    #[arg(long, default_value = ".")]
    drawings: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    for text in read_traces(arguments.trace.as_deref())? {
        let trace = Trace::parse(&text)?;
        let comparison = compare(&trace);
        println!("{comparison}");
        let drawing = arguments.drawings.join(format!("{}.svg", trace.name));
        write_whole(&drawing, draw(&comparison).as_bytes())?;
        println!("  drawn in {}", drawing.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn read_traces(named: Option<&str>) -> Result<Vec<String>> {
    let Some(named) = named else {
        return Ok(TRACES.iter().map(|(_, text)| (*text).to_owned()).collect());
    };
    let known = TRACES.iter().find(|(name, _)| *name == named);
    let text = match known {
        Some((_, text)) => (*text).to_owned(),
        None => fs::read_to_string(named).with_context(|| format!("could not read the trace {named}"))?,
    };
    Ok(vec![text])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trace_is_named_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.json");
        fs::write(&file, TRACES[0].1).unwrap();
        assert_eq!(read_traces(None).unwrap().len(), TRACES.len());
        assert_eq!(read_traces(Some("steady")).unwrap(), read_traces(file.to_str()).unwrap());
        assert!(read_traces(Some("none")).is_err());
    }
}
