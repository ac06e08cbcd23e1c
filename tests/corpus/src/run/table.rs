//! What a run prints: a line of counts for each rule, each difference, and the sum as tests print theirs.

use pipeline::options::{Engine, SassEngine};

use super::compile::Made;
use crate::{
    Job,
    compare::{Accepted, Verdict},
};

pub(super) fn print(what: &str, rule: Engine, jobs: &[Job], made: &[Made], verdicts: &[Verdict]) {
    let count =
        |is_counted: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is_counted(verdict)).count();
    println!(
        "\n{what}, {rule:?}: {} in all ({} by grass), {} identical, {} equal, {} accepted ({} colour steps, {} places), \
         {} differ, {} engine errs, {} only reference errs",
        verdicts.len(),
        made.iter().filter(|made| made.engine == Some(SassEngine::Grass)).count(),
        count(|verdict| matches!(verdict, Verdict::Identical)),
        count(|verdict| matches!(verdict, Verdict::Equal)),
        count(|verdict| matches!(verdict, Verdict::Accepted(_))),
        count(|verdict| is_accepted_for(verdict, Accepted::ColourStep)),
        count(|verdict| is_accepted_for(verdict, Accepted::DeclarationPlace)),
        count(|verdict| matches!(verdict, Verdict::Differs(_))),
        count(|verdict| matches!(verdict, Verdict::EngineErrs(_))),
        count(|verdict| matches!(verdict, Verdict::ReferenceErrs(_))),
    );
    for (job, verdict) in jobs.iter().zip(verdicts) {
        print_one(&job.name, verdict);
    }
}

fn print_one(name: &str, verdict: &Verdict) {
    match verdict {
        Verdict::Identical | Verdict::Equal => {}
        Verdict::Accepted(classes) => println!("  accepted   {name}: {classes:?}"),
        Verdict::Differs(difference) => {
            println!(
                "  differs    {name}\n      reference {:?}\n      engine    {:?}",
                difference.reference, difference.engine
            );
        }
        Verdict::EngineErrs(error) => {
            println!("  errs       {name}: {}", error.lines().next().unwrap_or_default());
        }
        Verdict::ReferenceErrs(error) => println!("  no error   {name}, reference: {error}"),
    }
}

fn is_accepted_for(verdict: &Verdict, class: Accepted) -> bool {
    matches!(verdict, Verdict::Accepted(classes) if classes.contains(&class))
}

/// How many jobs are as they should be by the rule `Auto`, and which are not.
#[derive(Default)]
pub(super) struct Tally {
    passed: usize,
    failed: Vec<String>,
}

impl Tally {
    pub(super) fn add(&mut self, name: &str, is_as_expected: bool) {
        if is_as_expected {
            self.passed += 1;
        } else {
            self.failed.push(name.to_owned());
        }
    }

    /// Prints the sum in the form in which `cargo test` prints one, and answers whether all passed.
    pub(super) fn print(&self) -> bool {
        let Self { passed, failed } = self;
        for name in failed {
            println!("FAILED {name}: differs and is no exception, or is one and is right");
        }
        let result = if failed.is_empty() { "ok" } else { "FAILED" };
        println!("\ntest result: {result}. {passed} passed; {} failed", failed.len());
        failed.is_empty()
    }
}
