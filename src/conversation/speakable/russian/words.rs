//! Units, currencies, months and abbreviations in Russian.

use super::numbers::{BILLION, Gender, MILLION, Noun, THOUSAND, TRILLION, hard};

/// A masculine noun whose genitive plural is the bare stem: "пять ватт".
const fn bare(stem: &'static str) -> Noun {
    Noun::new(stem, Gender::Masculine, &["", "а", "у", "", "ом", "е"], &["ы", "", "ам", "ы", "ами", "ах"])
}

const fn feminine(stem: &'static str) -> Noun {
    Noun::new(stem, Gender::Feminine, &["а", "ы", "е", "у", "ой", "е"], &["ы", "", "ам", "ы", "ами", "ах"])
}

const fn soft(stem: &'static str) -> Noun {
    Noun::new(stem, Gender::Masculine, &["ь", "я", "ю", "ь", "ём", "е"], &["и", "ей", "ям", "и", "ями", "ях"])
}

const fn unchanging(stem: &'static str, gender: Gender) -> Noun {
    Noun::new(stem, gender, &[""; 6], &[""; 6])
}

const DEGREE: Noun = hard("градус");
const METRE: Noun = hard("метр");
const KILOMETRE: Noun = hard("километр");
const CENTIMETRE: Noun = hard("сантиметр");
const GRAM: Noun = hard("грамм");
const MEGABYTE: Noun = bare("мегабайт");
const GIGABYTE: Noun = bare("гигабайт");
const MEGABIT: Noun = bare("мегабит");
const HERTZ: Noun = bare("герц");
const ROUBLE: Noun = soft("рубл");
pub(super) const HOUR: Noun = hard("час");
pub(super) const PERCENT: Noun = hard("процент");
const MILE: Noun =
    Noun::new("мил", Gender::Feminine, &["я", "и", "е", "ю", "ей", "е"], &["и", "ь", "ям", "и", "ями", "ях"]);

/// A unit behind a number.
pub(super) const UNITS: &[(&str, Noun)] = &[
    ("%", PERCENT),
    ("‰", unchanging("промилле", Gender::Neuter)),
    ("°C", DEGREE.followed_by(" Цельсия")),
    ("°С", DEGREE.followed_by(" Цельсия")), // the Cyrillic letter
    ("℃", DEGREE.followed_by(" Цельсия")),
    ("°F", DEGREE.followed_by(" Фаренгейта")),
    ("°", DEGREE),
    ("км/ч", KILOMETRE.followed_by(" в час")),
    ("km/h", KILOMETRE.followed_by(" в час")),
    ("м/с", METRE.followed_by(" в секунду")),
    ("m/s", METRE.followed_by(" в секунду")),
    ("км²", KILOMETRE.called("квадратн")),
    ("м²", METRE.called("квадратн")),
    ("кв. м", METRE.called("квадратн")),
    ("кв. км", KILOMETRE.called("квадратн")),
    ("см²", CENTIMETRE.called("квадратн")),
    ("м³", METRE.called("кубическ")),
    ("куб. м", METRE.called("кубическ")),
    ("км", KILOMETRE),
    ("km", KILOMETRE),
    ("м", METRE),
    ("m", METRE),
    ("дм", hard("дециметр")),
    ("см", CENTIMETRE),
    ("cm", CENTIMETRE),
    ("мм", hard("миллиметр")),
    ("mm", hard("миллиметр")),
    ("мкм", hard("микрометр")),
    ("нм", hard("нанометр")),
    ("кг", hard("килограмм")),
    ("kg", hard("килограмм")),
    ("г", GRAM),
    ("g", GRAM),
    ("гр", GRAM),
    ("мг", hard("миллиграмм")),
    ("mg", hard("миллиграмм")),
    ("мкг", hard("микрограмм")),
    ("т", feminine("тонн")),
    ("ц", hard("центнер")),
    ("га", hard("гектар")),
    ("л", hard("литр")),
    ("мл", hard("миллилитр")),
    ("ml", hard("миллилитр")),
    ("КБ", bare("килобайт")),
    ("Кб", bare("килобайт")),
    ("кБ", bare("килобайт")),
    ("KB", bare("килобайт")),
    ("МБ/с", MEGABYTE.followed_by(" в секунду")),
    ("MB/s", MEGABYTE.followed_by(" в секунду")),
    ("Мбит/с", MEGABIT.followed_by(" в секунду")),
    ("МБ", MEGABYTE),
    ("Мб", MEGABYTE),
    ("MB", MEGABYTE),
    ("ГБ", GIGABYTE),
    ("Гб", GIGABYTE),
    ("GB", GIGABYTE),
    ("ТБ", bare("терабайт")),
    ("TB", bare("терабайт")),
    ("Гц", HERTZ),
    ("Hz", HERTZ),
    ("кГц", bare("килогерц")),
    ("kHz", bare("килогерц")),
    ("МГц", bare("мегагерц")),
    ("MHz", bare("мегагерц")),
    ("ГГц", bare("гигагерц")),
    ("GHz", bare("гигагерц")),
    ("Вт", bare("ватт")),
    ("кВт", bare("киловатт")),
    ("кВт·ч", hard("киловатт-час")),
    ("МВт", bare("мегаватт")),
    ("В", bare("вольт")),
    ("А", bare("ампер")),
    ("мА", bare("миллиампер")),
    ("мА·ч", hard("миллиампер-час")),
    ("дБ", bare("децибел")),
    ("Па", soft("паскал")),
    ("гПа", soft("гектопаскал")),
    (
        "ккал",
        Noun::new(
            "килокалори",
            Gender::Feminine,
            &["я", "и", "и", "ю", "ей", "и"],
            &["и", "й", "ям", "и", "ями", "ях"],
        ),
    ),
    ("мм рт. ст.", hard("миллиметр").followed_by(" ртутного столба")),
    ("л. с.", unchanging("лошадиных сил", Gender::Feminine)),
    ("мс", feminine("миллисекунд")),
    ("ms", feminine("миллисекунд")),
    ("сек.", feminine("секунд")),
    ("сек", feminine("секунд")),
    ("с", feminine("секунд")),
    ("мин.", feminine("минут")),
    ("мин", feminine("минут")),
    ("ч.", HOUR),
    ("ч", HOUR),
    (
        "чел.",
        Noun::new("человек", Gender::Masculine, &["", "а", "у", "а", "ом", "е"], &["", "", "ам", "", "ами", "ах"]),
    ),
    ("шт.", feminine("штук")),
    ("миль", MILE),
    ("px", soft("пиксел")),
];

/// A currency: its signs, the noun, and that of its hundredths.
pub(super) struct Currency {
    pub signs: &'static [&'static str],
    pub noun: Noun,
    pub cent: Option<Noun>,
}

const KOPECK: Noun = Noun::new(
    "копе",
    Gender::Feminine,
    &["йка", "йки", "йке", "йку", "йкой", "йке"],
    &["йки", "ек", "йкам", "йки", "йками", "йках"],
);
const CENT: Noun = hard("цент");

pub(super) const CURRENCIES: &[Currency] = &[
    Currency { signs: &["US$", "$", "USD", "долл."], noun: hard("доллар"), cent: Some(CENT) },
    Currency { signs: &["€", "EUR"], noun: unchanging("евро", Gender::Masculine), cent: Some(CENT) },
    Currency { signs: &["₽", "RUB", "руб.", "руб", "р."], noun: ROUBLE, cent: Some(KOPECK) },
    Currency { signs: &["коп."], noun: KOPECK, cent: None },
    Currency { signs: &["£", "GBP"], noun: hard("фунт"), cent: None },
    Currency { signs: &["¥", "JPY"], noun: feminine("иен"), cent: None },
    Currency { signs: &["CNY"], noun: soft("юан"), cent: None },
    Currency {
        signs: &["₴", "UAH"],
        noun: Noun::new(
            "грив",
            Gender::Feminine,
            &["на", "ны", "не", "ну", "ной", "не"],
            &["ны", "ен", "нам", "ны", "нами", "нах"],
        ),
        cent: None,
    },
    Currency { signs: &["₸", "KZT"], noun: unchanging("тенге", Gender::Masculine), cent: None },
];

/// Thousands and more behind a number.
pub(super) const MAGNITUDES: &[(&str, Noun)] = &[
    ("тыс.", THOUSAND),
    ("тыс", THOUSAND),
    ("млн.", MILLION),
    ("млн", MILLION),
    ("млрд.", BILLION),
    ("млрд", BILLION),
    ("трлн.", TRILLION),
    ("трлн", TRILLION),
];

/// Months as they follow a day.
pub(super) const MONTHS: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];

/// Abbreviations that are always the same words.
pub(super) const ABBREVIATIONS: &[(&str, &str)] = &[
    ("т.е.", "то есть"),
    ("т. е.", "то есть"),
    ("т.к.", "так как"),
    ("т. к.", "так как"),
    ("т.н.", "так называемый"),
    ("т. н.", "так называемый"),
    ("и т.д.", "и так далее"),
    ("и т. д.", "и так далее"),
    ("и т.п.", "и тому подобное"),
    ("и т. п.", "и тому подобное"),
    ("и др.", "и другие"),
    ("и пр.", "и прочее"),
    ("до н.э.", "до нашей эры"),
    ("до н. э.", "до нашей эры"),
    ("н.э.", "нашей эры"),
    ("н. э.", "нашей эры"),
    ("напр.", "например"),
    ("см.", "смотри"),
    ("ср.", "сравни"),
    ("ул.", "улица"),
    ("пр-т", "проспект"),
    ("просп.", "проспект"),
    ("пер.", "переулок"),
    ("пл.", "площадь"),
    ("обл.", "область"),
    ("им.", "имени"),
    ("св.", "святой"),
    ("проф.", "профессор"),
    ("акад.", "академик"),
    ("г-н", "господин"),
    ("г-жа", "госпожа"),
    ("д-р", "доктор"),
    ("тел.", "телефон"),
    ("руб.", "рублей"),
    ("прим.", "примечание"),
];

/// Only before a number.
pub(super) const BEFORE_NUMBERS: &[(&str, &str)] = &[
    ("д.", "дом"),
    ("кв.", "квартира"),
    ("корп.", "корпус"),
    ("стр.", "страница"),
    ("с.", "страница"),
    ("рис.", "рисунок"),
    ("табл.", "таблица"),
    ("гл.", "глава"),
    ("п.", "пункт"),
    ("ст.", "статья"),
    ("оф.", "офис"),
    ("каб.", "кабинет"),
    ("№", "номер"),
    ("v.", "версия"),
];

/// Words before which a number is read digit by digit.
pub(super) const CODE_AFTER: &[&str] = &["код", "кода", "пин", "пин-код", "индекс", "пароль"];

/// The ends of addresses, as they are said.
pub(super) const ZONES: &[(&str, &str)] =
    &[("ru", "ру"), ("com", "ком"), ("org", "орг"), ("net", "нет"), ("su", "су"), ("рф", "эр эф")];

/// How monarchs' names begin, and whether they are women: a Roman numeral behind them is an ordinal.
pub(super) const RULERS: &[(&str, bool)] = &[
    ("Пётр", false),
    ("Петр", false),
    ("Павел", false),
    ("Павл", false),
    ("Александр", false),
    ("Николай", false),
    ("Никола", false),
    ("Иван", false),
    ("Карл", false),
    ("Людовик", false),
    ("Генрих", false),
    ("Георг", false),
    ("Эдуард", false),
    ("Фридрих", false),
    ("Вильгельм", false),
    ("Наполеон", false),
    ("Филипп", false),
    ("Рамзес", false),
    ("Бенедикт", false),
    ("Ричард", false),
    ("Екатерин", true),
    ("Елизавет", true),
    ("Мари", true),
];
