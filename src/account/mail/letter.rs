//! What mails say, in each language.

use askama::Template;

use crate::model::Language;

/// A mail to be written.
#[derive(Debug, Clone)]
pub struct Letter {
    pub to: String,
    pub language: Language,
    pub occasion: Occasion,
}

/// What a mail is about, with the addresses of the pages it names.
#[derive(Debug, Clone)]
pub enum Occasion {
    /// Somebody signed up with this address.
    Verify { link: String },
    /// Somebody signed up with an address that has an account.
    HasAccount { login: String, reset: String },
    /// Somebody forgot the password.
    Reset { link: String },
    /// The password is another now.
    PasswordChanged { reset: String },
    /// An administrator invites.
    Invitation { link: String },
}

impl Occasion {
    /// For the log.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Verify { .. } => "verify",
            Self::HasAccount { .. } => "has_account",
            Self::Reset { .. } => "reset",
            Self::PasswordChanged { .. } => "password_changed",
            Self::Invitation { .. } => "invitation",
        }
    }
}

/// The words of a mail, filled into one template of plain text and one of HTML.
pub struct Words<'a> {
    pub subject: &'static str,
    language: Language,
    before: &'static str,
    /// A link and what stands on it.
    action: (&'static str, &'a str),
    after: &'static str,
    /// A second link, within a sentence of its own.
    also: Option<(&'static str, &'a str)>,
    footer: &'static str,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    words: &'a Words<'a>,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    words: &'a Words<'a>,
}

impl Words<'_> {
    pub fn text(&self) -> askama::Result<String> {
        Text { words: self }.render()
    }

    pub fn html(&self) -> askama::Result<String> {
        Html { words: self }.render()
    }
}

impl Letter {
    pub fn words(&self) -> Words<'_> {
        match self.language {
            Language::En => self.english(),
            Language::Ru => self.russian(),
        }
    }

    fn english(&self) -> Words<'_> {
        let footer = "This mail was sent by aigolos, a voice server. Nobody reads answers to it.";
        let words = |subject, before, action, after| Words {
            subject,
            language: Language::En,
            before,
            action,
            after,
            also: None,
            footer,
        };
        match &self.occasion {
            Occasion::Verify { link } => words(
                "Confirm your address",
                "Somebody, probably you, made an account with this address. Confirm that the address is yours:",
                ("Confirm the address", link),
                "The link works for 24 hours. If it was not you, do nothing: without confirmation the account cannot be used.",
            ),
            Occasion::HasAccount { login, reset } => Words {
                also: Some(("Forgot your password? Choose a new one here:", reset)),
                ..words(
                    "You have an account already",
                    "Somebody, probably you, wanted to make an account with this address. There is one already, and you can log in:",
                    ("Log in", login),
                    "If it was not you, do nothing: your account is as it was.",
                )
            },
            Occasion::Reset { link } => words(
                "Choose a new password",
                "Somebody, probably you, asked for a new password for the account with this address:",
                ("Choose a new password", link),
                "The link works for one hour, and once. If it was not you, do nothing: your password stays as it is.",
            ),
            Occasion::PasswordChanged { reset } => words(
                "Your password was changed",
                "The password of your account was just changed, and other browsers were logged out. If it was you, there is nothing to do. If it was not, choose a new one at once:",
                ("Choose a new password", reset),
                "Then look at your keys and log-ins in the settings.",
            ),
            Occasion::Invitation { link } => words(
                "You are invited",
                "An administrator of a voice server invites you to use it. Make your account with this address:",
                ("Make the account", link),
                "The link works for 7 days. If you did not expect it, do nothing.",
            ),
        }
    }

    fn russian(&self) -> Words<'_> {
        let footer = "Это письмо отправил aigolos, голосовой сервер. Отвечать на него не нужно.";
        let words = |subject, before, action, after| Words {
            subject,
            language: Language::Ru,
            before,
            action,
            after,
            also: None,
            footer,
        };
        match &self.occasion {
            Occasion::Verify { link } => words(
                "Подтвердите адрес",
                "Кто-то, скорее всего вы, создал учётную запись с этим адресом. Подтвердите, что адрес ваш:",
                ("Подтвердить адрес", link),
                "Ссылка действует 24 часа. Если это были не вы, ничего не делайте: без подтверждения учётная запись не заработает.",
            ),
            Occasion::HasAccount { login, reset } => Words {
                also: Some(("Забыли пароль? Выберите новый здесь:", reset)),
                ..words(
                    "У вас уже есть учётная запись",
                    "Кто-то, скорее всего вы, хотел создать учётную запись с этим адресом. Она уже есть, можно войти:",
                    ("Войти", login),
                    "Если это были не вы, ничего не делайте: с вашей учётной записью ничего не произошло.",
                )
            },
            Occasion::Reset { link } => words(
                "Выберите новый пароль",
                "Кто-то, скорее всего вы, попросил новый пароль для учётной записи с этим адресом:",
                ("Выбрать новый пароль", link),
                "Ссылка действует один час и только один раз. Если это были не вы, ничего не делайте: пароль останется прежним.",
            ),
            Occasion::PasswordChanged { reset } => words(
                "Ваш пароль изменён",
                "Пароль вашей учётной записи только что изменён, а в других браузерах выполнен выход. Если это сделали вы, больше ничего не нужно. Если нет, сразу выберите новый пароль:",
                ("Выбрать новый пароль", reset),
                "После этого проверьте в настройках свои ключи и входы.",
            ),
            Occasion::Invitation { link } => words(
                "Вас приглашают",
                "Администратор голосового сервера приглашает вас им пользоваться. Создайте учётную запись с этим адресом:",
                ("Создать учётную запись", link),
                "Ссылка действует 7 дней. Если вы не ждали приглашения, ничего не делайте.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occasions() -> [Occasion; 5] {
        let link = || "https://voice.example.org/x/?token=a_b-c".to_owned();
        [
            Occasion::Verify { link: link() },
            Occasion::HasAccount { login: link(), reset: "https://voice.example.org/reset".into() },
            Occasion::Reset { link: link() },
            Occasion::PasswordChanged { reset: link() },
            Occasion::Invitation { link: link() },
        ]
    }

    #[test]
    fn every_mail_names_its_links_in_both_forms_and_languages() {
        let mut subjects = std::collections::HashSet::new();
        for occasion in occasions() {
            for language in Language::ALL {
                let letter = Letter { to: "ann@example.org".into(), language, occasion: occasion.clone() };
                let words = letter.words();
                assert!(subjects.insert(words.subject), "{} is said twice", words.subject);
                let (text, html) = (words.text().expect("renders"), words.html().expect("renders"));
                for form in [&text, &html] {
                    assert!(form.contains("https://voice.example.org/x/?token=a_b-c"), "{form}");
                    assert_eq!(form.contains("/reset"), matches!(occasion, Occasion::HasAccount { .. }), "{form}");
                    let cyrillic = form.chars().any(|c| ('а'..='я').contains(&c));
                    assert_eq!(cyrillic, language == Language::Ru, "{form}");
                }
                assert!(!text.contains('<') && html.contains(&format!("lang=\"{}\"", language.code())), "{html}");
            }
        }
    }
}
