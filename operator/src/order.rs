//! What the program is asked to do: to run, or to answer one of the chart's questions.

use clap::{ArgMatches, Command, CommandFactory, FromArgMatches};

use crate::{config::Options, uninstall::CheckUninstall};

const CHECK_UNINSTALL: &str = "check-uninstall";

/// The command line and the environment, parsed.
#[derive(Debug)]
pub enum Order {
    Run(Box<Options>),
    CheckUninstall(CheckUninstall),
}

impl Order {
    /// Ends the process where they cannot be read, or ask for help.
    pub fn parse() -> Self {
        Self::read(&build().get_matches()).unwrap_or_else(|error| error.exit())
    }

    fn read(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand() {
            Some((_, question)) => CheckUninstall::from_arg_matches(question).map(Self::CheckUninstall),
            None => Options::from_arg_matches(matches).map(|options| Self::Run(Box::new(options))),
        }
    }
}

/// Without a subcommand the program runs. A question needs none of the settings for that.
fn build() -> Command {
    Options::command()
        .subcommand_negates_reqs(true)
        .subcommand(CheckUninstall::command().name(CHECK_UNINSTALL))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Order, clap::Error> {
        let words = ["operator"].iter().chain(words);
        build().try_get_matches_from(words).and_then(|matches| Order::read(&matches))
    }

    #[test]
    fn question_needs_no_settings_and_running_needs_all_of_them() {
        let asked = parse(&["check-uninstall", "--release=r", "--namespace=n", "--revision=1"]).unwrap();
        assert!(matches!(asked, Order::CheckUninstall(_)), "{asked:?}");
        let settings = ["--web-image=w", "--worker-image=w", "--cluster-name=east", "--aws-region=r"];
        let run = parse(&settings).unwrap();
        assert!(matches!(run, Order::Run(_)), "{run:?}");
        for wrong in [&[][..], &["check-uninstall"], &["check"], &settings[..3]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
