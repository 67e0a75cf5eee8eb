//! `aigolos user`: the operator's hand on accounts, beside a running server or without one.

use std::{
    io::{self, BufRead as _, IsTerminal as _},
    process::ExitCode,
};

use clap::Subcommand;

use super::Outcome;
use crate::{
    account::{AccountError, Accounts, random_password},
    app::{config::Config, keeping},
    protocol::error::ApiError,
    store::User,
};

/// What to do about people.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum UserAction {
    /// Make an account that can be used at once
    Add {
        email: String,
        /// An administrator
        #[arg(long)]
        admin: bool,
        /// What they want to be called
        #[arg(long, default_value = "")]
        name: String,
        /// Read the password from the standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// List accounts
    List,
    /// Lock an account and end its log-ins
    Disable { email: String },
    /// Unlock an account
    Enable { email: String },
    /// Set a new password and end all log-ins
    Passwd {
        email: String,
        /// Read the password from the standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Delete an account and all that is theirs
    Rm { email: String },
}

/// `aigolos user`.
pub async fn user(config: &Config, action: UserAction) -> Outcome {
    let store = keeping::open_store(config).await?;
    let accounts = keeping::accounts(config, store, config.bind)?;
    match action {
        UserAction::Add { email, admin, name, password_stdin } => {
            let password = password(password_stdin)?;
            let user = accounts.add_user(&email, &name, admin, password.text()).await.map_err(told)?;
            println!("{} has an account{}", user.email, if admin { " and is an administrator" } else { "" });
            password.show();
        }
        UserAction::List => list(&accounts).await?,
        UserAction::Disable { email } => accounts.set_disabled(&email, true).await.map_err(told)?,
        UserAction::Enable { email } => accounts.set_disabled(&email, false).await.map_err(told)?,
        UserAction::Passwd { email, password_stdin } => {
            let password = password(password_stdin)?;
            accounts.replace_password(&email, password.text()).await.map_err(told)?;
            password.show();
        }
        UserAction::Rm { email } => accounts.remove_user(&email).await.map_err(told)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(accounts: &Accounts) -> Result<(), String> {
    let mut after: Option<String> = None;
    loop {
        let page = accounts.users("", after.as_deref()).await.map_err(told)?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.email.clone());
        for user in &page {
            println!("{:<40} {:<32} {}", user.email, marks(user), user.name);
        }
    }
}

fn marks(user: &User) -> String {
    let marks =
        [(user.admin, "administrator"), (user.disabled, "disabled"), (user.verified_at.is_none(), "unconfirmed")];
    marks.iter().filter(|(is, _)| *is).map(|(_, mark)| *mark).collect::<Vec<_>>().join(", ")
}

enum Password {
    Given(String),
    MadeUp(String),
}

impl Password {
    fn text(&self) -> &str {
        let (Self::Given(text) | Self::MadeUp(text)) = self;
        text
    }

    fn show(&self) {
        if let Self::MadeUp(text) = self {
            println!("password: {text}");
        }
    }
}

/// From the standard input, from whoever sits at the terminal, or made up.
fn password(from_stdin: bool) -> Result<Password, Box<dyn std::error::Error>> {
    if from_stdin {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        return Ok(Password::Given(line.trim_end_matches(['\r', '\n']).to_owned()));
    }
    if io::stdin().is_terminal() && io::stderr().is_terminal() {
        let first = rpassword::prompt_password("Password (empty: one is made up): ")?;
        if !first.is_empty() {
            if rpassword::prompt_password("The same again: ")? != first {
                return Err("the two are not the same\nhint: try again".into());
            }
            return Ok(Password::Given(first));
        }
    }
    Ok(Password::MadeUp(random_password()?))
}

/// The error and its hint, as the terminal shows them.
fn told(error: AccountError) -> String {
    let error = ApiError::from(error);
    format!("{}\nhint: {}", error.message, error.hint)
}
