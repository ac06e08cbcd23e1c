//! What a run prints: a line of counts per engine, and each difference.

use corpus::{
    Job,
    compare::{Accepted, Verdict},
};

use crate::engine::Engine;

pub(crate) fn print(what: &str, engine: Engine, jobs: &[Job], verdicts: &[Verdict]) {
    let count =
        |is_counted: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is_counted(verdict)).count();
    println!(
        "\n{what}, {engine:?}: {} in all, {} identical, {} equal, {} accepted ({} colour steps, {} places), \
         {} differ, {} engine errs, {} only reference errs",
        verdicts.len(),
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
