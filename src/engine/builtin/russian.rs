//! The assistant in Russian: the same few things, for those who speak it.

pub(super) mod clock;
pub(super) mod numbers;

use jiff::Zoned;

use self::numbers::{Gender, form, spoken, whole};
use super::{
    fun::in_turn,
    spell::sentence,
    sum::{Op, Sum},
    timer::{Outcome, Wish},
    words::{Heard, Token},
};
use crate::model::{Message, Role};

const HELP: &str = "Спросите меня, который час, какой сегодня день, сколько будет пять плюс семь, или попросите таймер или \
                    шутку.";
const WHO: &str = "Я маленький встроенный помощник аиголос: знаю время, дату, счёт и таймеры. Для разговора обо всём нужна \
                   модель: выполните aigolos models pull ollama:qwen2.5:0.5b или задайте LLM_BACKEND=openai.";
const UNKNOWN: &str = "Этого я не знаю, я лишь маленький встроенный помощник; чтобы подключить настоящую модель, выполните \
                       aigolos models pull ollama:qwen2.5:0.5b или задайте LLM_BACKEND=openai.";
const UNKNOWN_AGAIN: [&str; 2] = [
    "И этого я не знаю: здесь нужна настоящая модель. Могу сказать время, дату, посчитать или завести таймер.",
    "Тут без настоящей модели не обойтись. Спросите, который час, или попросите шутку.",
];
const JOKES: [&str; 3] = [
    "Почему компьютеру холодно? Он всегда держит окна открытыми.",
    "Встретились два таймера. Один говорит: как время летит! А другой: осталось совсем чуть-чуть.",
    "Что сказал ноль восьмёрке? Красивый пояс.",
];

/// Answers what is said in Russian, timers apart.
pub(super) fn answer(heard: &Heard, said: &str, earlier: &[Message], now: &Zoned) -> String {
    sum(heard)
        .or_else(|| repeat(heard, earlier))
        .or_else(|| name(heard, said, earlier))
        .or_else(|| fun(heard, earlier, now))
        .or_else(|| clock::answer(heard, now))
        .or_else(|| talk(heard).map(str::to_owned))
        .unwrap_or_else(|| unknown(earlier))
}

pub(super) fn nothing_heard() -> String {
    "Простите, я ничего не расслышал.".into()
}

fn unknown(earlier: &[Message]) -> String {
    let told = earlier.iter().any(|message| message.role == Role::Assistant && message.content.contains("LLM_BACKEND"));
    if told { in_turn(&UNKNOWN_AGAIN, earlier).to_owned() } else { UNKNOWN.to_owned() }
}

fn sum(heard: &Heard) -> Option<String> {
    let sum = Sum::commanded(
        heard,
        &[
            (&["сложи", "сложить", "прибавь"], Op::Plus),
            (&["вычти", "отними", "вычесть"], Op::Minus),
            (&["умножь", "умножить", "помножь"], Op::Times),
            (&["раздели", "подели", "разделить"], Op::Over),
        ],
    )
    .or_else(|| Sum::infix(heard, false))?;
    let Some(result) = sum.result() else { return Some("На ноль делить нельзя.".into()) };
    if !sum.is_small_enough() {
        return Some("Это слишком большое число для меня.".into());
    }
    let mut text = spoken(sum.numbers[0]).0;
    for (op, n) in sum.ops.iter().zip(&sum.numbers[1..]) {
        let op = match op {
            Op::Plus => "плюс",
            Op::Minus => "минус",
            Op::Times => "умножить на",
            Op::Over => "разделить на",
        };
        text = format!("{text} {op} {}", spoken(*n).0);
    }
    let (result, exact) = spoken(result);
    Some(sentence(&format!("{text} будет {}{result}", if exact { "" } else { "примерно " })))
}

fn repeat(heard: &Heard, earlier: &[Message]) -> Option<String> {
    let last =
        |role: Role| earlier.iter().rev().find(|m| m.role == role).map(|m| m.content.trim_end_matches(['…', ' ']));
    if heard.any(&["что я сказал", "что я сказала"]) {
        return Some(
            last(Role::User)
                .map_or("Вы ещё ничего не сказали.".into(), |said| format!("Вы сказали: {said}")),
        );
    }
    let again = heard.any(&["повтори", "повторите", "еще раз", "что ты сказал"]);
    again.then(|| last(Role::Assistant).unwrap_or("Я ещё ничего не сказал.").to_owned())
}

fn name(heard: &Heard, said: &str, earlier: &[Message]) -> Option<String> {
    if heard.any(&["как меня зовут", "мое имя", "кто я"]) {
        let told = earlier.iter().rev().filter(|m| m.role == Role::User).find_map(|m| told_name(&m.content));
        return Some(told.map_or("Я ещё не знаю вашего имени.".into(), |name| format!("Вас зовут {name}.")));
    }
    told_name(said).map(|name| format!("Здравствуйте, {name}! Очень приятно."))
}

/// "меня зовут Анна"
fn told_name(said: &str) -> Option<String> {
    let lower = said.to_lowercase();
    let at = lower.find("меня зовут ")? + "меня зовут ".len();
    // Lower-casing changes no length in Cyrillic; elsewhere the letters must still be there.
    let name: String = said.get(at..)?.chars().take_while(|c| c.is_alphabetic() || *c == '-').take(24).collect();
    let asked = lower[..at].trim_end_matches("меня зовут ").trim_end().ends_with("как");
    let mut letters = name.chars();
    let first = letters.next().filter(|_| !asked)?;
    Some(first.to_uppercase().chain(letters).collect())
}

fn fun(heard: &Heard, earlier: &[Message], now: &Zoned) -> Option<String> {
    let chance = |sides: u64| u64::from(now.timestamp().subsec_nanosecond().unsigned_abs()) / 1000 % sides;
    if heard.any(&["шутку", "шутка", "анекдот", "рассмеши", "пошути"]) {
        return Some(in_turn(&JOKES, earlier).to_owned());
    }
    if heard.any(&["монетку", "монету", "орел или решка"]) {
        return Some(if chance(2) == 0 { "Орёл." } else { "Решка." }.into());
    }
    heard.any(&["кубик", "кости"]).then(|| format!("Выпало {}.", whole(chance(6) + 1, Gender::Masculine)))
}

fn talk(heard: &Heard) -> Option<&'static str> {
    let short = heard.words().count() <= 6;
    Some(
        if heard.any(&["погода", "погоду", "дождь", "снег", "температура", "градусов"])
        {
            "Погоды я не вижу: у меня нет связи с внешним миром."
        } else if heard.any(&["будильник", "разбуди", "напомни"]) {
            "Будить и напоминать я не умею. Могу завести таймер и сказать, сколько осталось."
        } else if heard.any(&["музыку", "песню", "громкость", "радио", "громче", "тише"])
        {
            "Музыку и громкость я менять не умею."
        } else if heard.any(&[
            "свет",
            "лампу",
            "лампочку",
            "дверь",
            "включи",
            "выключи",
            "телевизор",
            "открой",
            "закрой",
        ]) {
            "Этого я не могу: я не управляю ни светом, ни приборами."
        } else if heard.any(&["что ты умеешь", "что ты можешь", "помощь", "помоги", "что ты знаешь"])
        {
            HELP
        } else if heard.any(&["кто ты", "тебя зовут", "что ты такое", "ты кто", "ты робот", "о себе"])
        {
            WHO
        } else if heard.any(&["слышишь", "ты тут", "ты здесь", "меня слышно"]) {
            "Да, я вас слышу."
        } else if heard.any(&["как дела", "как ты", "как поживаешь", "как настроение"])
        {
            "Хорошо, спасибо. А у вас?"
        } else if heard.any(&["спокойной ночи", "доброй ночи"]) {
            "Спокойной ночи."
        } else if heard.any(&["до свидания", "пока", "до встречи", "прощай"]) && short {
            "До свидания. Хорошего дня!"
        } else if heard.any(&["спасибо", "благодарю"]) {
            "Пожалуйста."
        } else if heard.any(&["доброе утро"]) {
            "Доброе утро! Чем помочь?"
        } else if heard.any(&["добрый вечер"]) {
            "Добрый вечер! Чем помочь?"
        } else if heard.any(&["привет", "здравствуй", "здравствуйте", "добрый день", "алло"]) && short
        {
            "Здравствуйте! Чем помочь?"
        } else if heard.only(&["стоп", "хватит", "тихо", "отмена", "не надо", "замолчи", "ладно", "хорошо", "понятно"])
        {
            "Хорошо."
        } else if heard.only(&["да", "давай", "нет"]) {
            "Хорошо. Слушаю вас."
        } else {
            return None;
        },
    )
}

/// What somebody wants of a timer.
pub(super) fn wish(heard: &Heard, asked: bool) -> Option<Wish> {
    let about = heard.any(&["таймер", "таймера", "таймеру"]);
    if heard.any(&["сколько осталось", "осталось времени", "времени осталось", "таймер закончился"])
    {
        return Some(Wish::Left);
    }
    if about && heard.any(&["отмени", "останови", "выключи", "убери", "сбрось", "отменить", "удали"])
    {
        return Some(Wish::Cancel);
    }
    if about && heard.any(&["пауза", "паузу", "приостанови"]) {
        return Some(Wish::Pause);
    }
    match length(heard) {
        Some(length) if about || asked || heard.any(&["засеки"]) => Some(Wish::Set(length)),
        None if about && heard.any(&["поставь", "заведи", "запусти", "включи", "установи", "засеки"]) => {
            Some(Wish::AskLength)
        }
        _ => None,
    }
}

fn length(heard: &Heard) -> Option<u64> {
    if heard.any(&["полчаса"]) {
        return Some(1800);
    }
    if heard.any(&["полминуты"]) {
        return Some(30);
    }
    let seconds = |unit: &str| match unit {
        _ if unit.starts_with("секунд") => Some(1.0),
        _ if unit.starts_with("минут") => Some(60.0),
        "час" | "часа" | "часов" => Some(3600.0),
        _ => None,
    };
    let mut total = None;
    for (at, token) in heard.tokens.iter().enumerate() {
        let Token::Word(unit) = token else { continue };
        let Some(seconds) = seconds(unit) else { continue };
        let before = at.checked_sub(1).map(|at| &heard.tokens[at]);
        let count = match before {
            Some(Token::Number(n)) => *n,
            // "на минуту"
            Some(Token::Word(word)) if word == "на" || word == "и" => 1.0,
            _ => continue,
        };
        total = Some(((count * seconds).round() as u64).saturating_add(total.unwrap_or(0)));
    }
    total
}

/// What became of it, in words.
pub(super) fn told(outcome: &Outcome) -> String {
    match outcome {
        Outcome::AskLength => "На сколько?".into(),
        Outcome::Zero => "Это вовсе не время.".into(),
        Outcome::TooLong => "Так долго я не умею. Сутки ещё можно.".into(),
        Outcome::NoTimers => "Простите, таймера здесь нет.".into(),
        Outcome::Set(length) => {
            format!("Таймер пошёл: {}. Звонить я не умею, спросите, сколько осталось.", span(*length))
        }
        Outcome::Off => "Хорошо. Таймер отменён.".into(),
        Outcome::None => "Таймера нет.".into(),
        Outcome::NoPause => "Останавливать таймер я не умею, только отменять.".into(),
        Outcome::Done => format!("Ваш {DONE}."),
        Outcome::Left(seconds) => format!("Осталось: {}.", span(*seconds)),
    }
}

/// Says that a timer has ended.
pub(super) const DONE: &str = "таймер закончился";

fn span(seconds: u64) -> String {
    let parts = [
        (seconds / 3600, Gender::Masculine, ["час", "часа", "часов"]),
        (seconds / 60 % 60, Gender::Feminine, ["минута", "минуты", "минут"]),
        (seconds % 60, Gender::Feminine, ["секунда", "секунды", "секунд"]),
    ];
    let first = parts.iter().position(|(n, ..)| *n > 0).unwrap_or(2);
    let said = parts[first..].iter().take(2).enumerate().filter(|(at, (n, ..))| *n > 0 || *at == 0);
    let said: Vec<String> =
        said.map(|(_, (n, gender, forms))| format!("{} {}", whole(*n, *gender), form(*n, *forms))).collect();
    said.join(" и ")
}
