//! Every case and code base by each rule of choosing an engine, beside the reference. The program that runs it is
//! also the compile child.

mod compile;
mod table;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};
use pipeline::options::Engine;

use crate::{
    Job,
    case::{self, Case, Expected},
    code_base,
    compare::{Pair, Verdict, judge_all},
    exceptions::{self, Exception, is_as_expected},
    oracle::{Oracle, Outcome},
};
use compile::Made;
use table::Tally;

#[derive(Parser)]
#[command(name = "corpus", about = "Compares the worker's CSS with the reference's")]
struct Arguments {
    /// Only by this rule
    #[arg(long, value_enum)]
    only: Option<Rule>,
    /// Only what has one of these in its name
    words: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Rule {
    Auto,
    Grass,
    Sasso,
}

impl From<Rule> for Engine {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::Auto => Self::Auto,
            Rule::Grass => Self::Grass,
            Rule::Sasso => Self::Sasso,
        }
    }
}

/// What is compared, where, and by which rules.
struct Run {
    oracle: Oracle,
    rules: Vec<Engine>,
    exceptions: Vec<Exception>,
    /// Everything that was looked at by the rule `Auto`.
    tally: Tally,
}

/// What a program of this crate does, with the words of its command line.
pub fn main() -> Result<ExitCode> {
    if let Some(code) = worker::child::run_if_child() {
        return Ok(code);
    }
    let Arguments { only, words } = Arguments::parse();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut run = Run {
        oracle: Oracle { folder: folder.join("oracle") },
        rules: only.map_or(Engine::ALL.to_vec(), |rule| vec![rule.into()]),
        exceptions: exceptions::read_all(&folder.join("exceptions.json"))?,
        tally: Tally::default(),
    };
    let scratch = env::temp_dir().join(format!("corpus-{}", std::process::id()));
    let result = run.compare_all(&folder, &scratch, &words);
    fs::remove_dir_all(&scratch).context("cannot remove the scratch folder")?;
    result?;
    Ok(if run.tally.print() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Run {
    fn compare_all(&mut self, folder: &Path, scratch: &Path, words: &[String]) -> Result<()> {
        fs::create_dir_all(scratch)?;
        let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
        let mut cases = case::read_all(&folder.join("cases"))?;
        cases.retain(|case| is_wanted(&case.id()));
        let write = |(number, case): (usize, &Case)| case.write_to(&scratch.join(number.to_string()));
        let jobs: Vec<Job> = cases.iter().enumerate().map(write).collect::<Result<_>>()?;
        let reference = self.oracle.compile(&jobs)?;
        check_expected(&cases, &reference)?;
        self.compare("cases", &jobs, &reference)?;

        let mut code_bases = code_base::read_all(&folder.join("code_bases.json"))?;
        code_bases.retain(|code_base| is_wanted(&code_base.name));
        let modules = self.oracle.folder.join("node_modules");
        let jobs: Vec<Job> = code_bases.iter().map(|code_base| code_base.job(folder, &modules)).collect();
        let reference = self.oracle.compile(&jobs)?;
        for (job, outcome) in jobs.iter().zip(&reference) {
            if let Err(error) = outcome {
                bail!("the reference fails on {}: {error}", job.name);
            }
        }
        self.compare("code bases", &jobs, &reference)
    }

    fn compare(&mut self, what: &str, jobs: &[Job], reference: &[Outcome]) -> Result<()> {
        for rule in self.rules.clone() {
            let made = compile::compile_all(rule, jobs)?;
            let pair = |(reference, made): (&Outcome, &Made)| Pair {
                reference: reference.clone(),
                tolerance: made.tolerance(),
                engine: made.outcome.clone(),
            };
            let pairs: Vec<Pair> = reference.iter().zip(&made).map(pair).collect();
            let verdicts = judge_all(&self.oracle, &pairs)?;
            if let Some(folder) = env::var_os(KEEP) {
                keep(&PathBuf::from(folder), rule, jobs, &pairs)?;
            }
            table::print(what, rule, jobs, &made, &verdicts);
            if rule == Engine::Auto {
                self.judge(jobs, &verdicts);
            }
        }
        Ok(())
    }

    fn judge(&mut self, jobs: &[Job], verdicts: &[Verdict]) {
        for (job, verdict) in jobs.iter().zip(verdicts) {
            self.tally.add(&job.name, is_as_expected(&job.name, verdict, &self.exceptions));
        }
    }
}

/// A case that the reference takes otherwise than it says is a mistake in the corpus.
fn check_expected(cases: &[Case], reference: &[Outcome]) -> Result<()> {
    let mut mistakes = Vec::new();
    for (case, outcome) in cases.iter().zip(reference) {
        match (case.expected, outcome) {
            (Expected::Css, Ok(_)) | (Expected::Error, Err(_)) => {}
            (Expected::Css, Err(error)) => mistakes.push(format!("{}: {error}", case.id())),
            (Expected::Error, Ok(_)) => mistakes.push(format!("{}: no error", case.id())),
        }
    }
    ensure!(mistakes.is_empty(), "the reference takes cases otherwise:\n{}", mistakes.join("\n"));
    Ok(())
}

/// Names the folder where both sides' CSS is left for a person to look at.
const KEEP: &str = "CORPUS_KEEP";

fn keep(folder: &Path, rule: Engine, jobs: &[Job], pairs: &[Pair]) -> Result<()> {
    for (job, pair) in jobs.iter().zip(pairs) {
        let stem = job.name.replace(|character: char| !character.is_alphanumeric(), "-");
        let sides = [("reference".to_owned(), &pair.reference), (format!("{rule:?}"), &pair.engine)];
        for (side, outcome) in sides {
            let (Ok(text) | Err(text)) = outcome;
            fs::create_dir_all(folder.join(&side))?;
            fs::write(folder.join(side).join(format!("{stem}.css")), text)?;
        }
    }
    Ok(())
}
