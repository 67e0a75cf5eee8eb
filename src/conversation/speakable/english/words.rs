//! What English calls units, currencies and abbreviations.

/// A unit behind a number: the sign, one of it, several of it. Longer signs first where one begins with another.
pub(super) const UNITS: &[(&str, &str, &str)] = &[
    ("°C", "degree Celsius", "degrees Celsius"),
    ("℃", "degree Celsius", "degrees Celsius"),
    ("°F", "degree Fahrenheit", "degrees Fahrenheit"),
    ("℉", "degree Fahrenheit", "degrees Fahrenheit"),
    ("°", "degree", "degrees"),
    ("km/h", "kilometer per hour", "kilometers per hour"),
    ("kph", "kilometer per hour", "kilometers per hour"),
    ("m/s²", "meter per second squared", "meters per second squared"),
    ("m/s", "meter per second", "meters per second"),
    ("mph", "mile per hour", "miles per hour"),
    ("km²", "square kilometer", "square kilometers"),
    ("m²", "square meter", "square meters"),
    ("m³", "cubic meter", "cubic meters"),
    ("cm²", "square centimeter", "square centimeters"),
    ("km", "kilometer", "kilometers"),
    ("cm", "centimeter", "centimeters"),
    ("mm", "millimeter", "millimeters"),
    ("µm", "micrometer", "micrometers"),
    ("nm", "nanometer", "nanometers"),
    ("m", "meter", "meters"),
    ("mi", "mile", "miles"),
    ("ft", "foot", "feet"),
    ("yd", "yard", "yards"),
    ("kg", "kilogram", "kilograms"),
    ("mg", "milligram", "milligrams"),
    ("µg", "microgram", "micrograms"),
    ("g", "gram", "grams"),
    ("lbs", "pound", "pounds"),
    ("lb", "pound", "pounds"),
    ("oz", "ounce", "ounces"),
    ("ml", "milliliter", "milliliters"),
    ("mL", "milliliter", "milliliters"),
    ("L", "liter", "liters"),
    ("kB/s", "kilobyte per second", "kilobytes per second"),
    ("MB/s", "megabyte per second", "megabytes per second"),
    ("GB/s", "gigabyte per second", "gigabytes per second"),
    ("kbps", "kilobit per second", "kilobits per second"),
    ("Mbps", "megabit per second", "megabits per second"),
    ("Gbps", "gigabit per second", "gigabits per second"),
    ("Mbit/s", "megabit per second", "megabits per second"),
    ("kB", "kilobyte", "kilobytes"),
    ("KB", "kilobyte", "kilobytes"),
    ("MB", "megabyte", "megabytes"),
    ("GB", "gigabyte", "gigabytes"),
    ("TB", "terabyte", "terabytes"),
    ("PB", "petabyte", "petabytes"),
    ("KiB", "kibibyte", "kibibytes"),
    ("MiB", "mebibyte", "mebibytes"),
    ("GiB", "gibibyte", "gibibytes"),
    ("Hz", "hertz", "hertz"),
    ("kHz", "kilohertz", "kilohertz"),
    ("MHz", "megahertz", "megahertz"),
    ("GHz", "gigahertz", "gigahertz"),
    ("kWh", "kilowatt hour", "kilowatt hours"),
    ("kW", "kilowatt", "kilowatts"),
    ("MW", "megawatt", "megawatts"),
    ("W", "watt", "watts"),
    ("mAh", "milliamp hour", "milliamp hours"),
    ("mA", "milliamp", "milliamps"),
    ("V", "volt", "volts"),
    ("kV", "kilovolt", "kilovolts"),
    ("dB", "decibel", "decibels"),
    ("hPa", "hectopascal", "hectopascals"),
    ("kcal", "kilocalorie", "kilocalories"),
    ("ms", "millisecond", "milliseconds"),
    ("ns", "nanosecond", "nanoseconds"),
    ("µs", "microsecond", "microseconds"),
    ("secs", "second", "seconds"),
    ("sec", "second", "seconds"),
    ("s", "second", "seconds"),
    ("mins", "minute", "minutes"),
    ("min", "minute", "minutes"),
    ("hrs", "hour", "hours"),
    ("hr", "hour", "hours"),
    ("h", "hour", "hours"),
    ("px", "pixel", "pixels"),
    ("fps", "frame per second", "frames per second"),
    ("rpm", "revolution per minute", "revolutions per minute"),
    ("dpi", "dot per inch", "dots per inch"),
    ("sq ft", "square foot", "square feet"),
];

/// A currency: its signs, one and several of it, and of its hundredths.
pub(super) struct Currency {
    pub signs: &'static [&'static str],
    pub one: &'static str,
    pub many: &'static str,
    pub cent: &'static str,
    pub cents: &'static str,
}

const fn money(
    signs: &'static [&'static str],
    one: &'static str,
    many: &'static str,
    cent: &'static str,
    cents: &'static str,
) -> Currency {
    Currency { signs, one, many, cent, cents }
}

pub(super) const CURRENCIES: &[Currency] = &[
    money(&["US$", "$", "USD"], "dollar", "dollars", "cent", "cents"),
    money(&["€", "EUR"], "euro", "euros", "cent", "cents"),
    money(&["£", "GBP"], "pound", "pounds", "penny", "pence"),
    money(&["₽", "RUB"], "rouble", "roubles", "kopeck", "kopecks"),
    money(&["¥", "JPY"], "yen", "yen", "", ""),
    money(&["CNY"], "yuan", "yuan", "", ""),
    money(&["₹", "INR"], "rupee", "rupees", "", ""),
    money(&["₴", "UAH"], "hryvnia", "hryvnias", "", ""),
    money(&["₩", "KRW"], "won", "won", "", ""),
    money(&["CHF"], "Swiss franc", "Swiss francs", "", ""),
    money(&["₿", "BTC"], "bitcoin", "bitcoins", "", ""),
    money(&["¢"], "cent", "cents", "", ""),
];

/// Thousands and more behind a number, written out or by a letter.
pub(super) const MAGNITUDES: &[(&str, &str)] = &[
    ("thousand", "thousand"),
    ("million", "million"),
    ("billion", "billion"),
    ("trillion", "trillion"),
    ("bn", "billion"),
    ("K", "thousand"),
    ("k", "thousand"),
    ("M", "million"),
    ("B", "billion"),
];

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The month a word names, whole or shortened: 1 to 12. "May" and "March" are other words too: only with a capital.
pub(super) fn month(word: &str) -> Option<u64> {
    let full = MONTHS.iter().position(|month| *month == word);
    let short = || {
        let known = word.len() == 3 || word == "Sept";
        MONTHS.iter().position(|month| known && month.starts_with(word))
    };
    full.or_else(short).map(|at| at as u64 + 1)
}

/// Abbreviations that are always the same words. The first letter may be a capital at the beginning of a sentence.
pub(super) const ABBREVIATIONS: &[(&str, &str)] = &[
    ("Mr.", "Mister"),
    ("Mrs.", "Missus"),
    ("Ms.", "Miss"),
    ("Prof.", "Professor"),
    ("Gen.", "General"),
    ("Sen.", "Senator"),
    ("Gov.", "Governor"),
    ("Capt.", "Captain"),
    ("Lt.", "Lieutenant"),
    ("Rev.", "Reverend"),
    ("Jr.", "Junior"),
    ("Sr.", "Senior"),
    ("vs.", "versus"),
    ("vs", "versus"),
    ("e.g.", "for example"),
    ("i.e.", "that is"),
    ("approx.", "approximately"),
    ("etc.", "et cetera"),
    ("et al.", "and others"),
    ("cf.", "compare"),
    ("w/o", "without"),
    ("w/", "with"),
    ("b/c", "because"),
    ("dept.", "department"),
    ("Inc.", "Incorporated"),
    ("Ltd.", "Limited"),
    ("Corp.", "Corporation"),
    ("a.m.", "AM"),
    ("p.m.", "PM"),
    ("Ave.", "Avenue"),
    ("Blvd.", "Boulevard"),
    ("Rd.", "Road"),
    ("Ph.D.", "P H D"),
];

/// Only before a number.
pub(super) const BEFORE_NUMBERS: &[(&str, &str)] = &[
    ("No.", "number"),
    ("no.", "number"),
    ("Nos.", "numbers"),
    ("pp.", "pages"),
    ("p.", "page"),
    ("Fig.", "Figure"),
    ("fig.", "figure"),
    ("vol.", "volume"),
    ("Vol.", "Volume"),
    ("ch.", "chapter"),
    ("Ch.", "Chapter"),
    ("ca.", "about"),
    ("c.", "about"),
    ("est.", "established"),
    ("ext.", "extension"),
    ("v.", "version"),
];

/// Words before which a number of four digits is a year.
pub(super) const YEAR_AFTER: &[&str] = &[
    "in", "since", "until", "till", "year", "summer", "autumn", "fall", "winter", "spring", "early", "late", "mid",
    "circa", "of", "by", "from", "to", "through", "before", "after", "around", "between", "during", "and",
];

/// Words before which a number is a place or a line and read in pairs: "room three oh five".
pub(super) const ROOM_AFTER: &[&str] = &["room", "suite", "flight", "apartment", "apt", "gate", "highway", "route"];

/// Words before which a number is read digit by digit.
pub(super) const CODE_AFTER: &[&str] = &["code", "pin", "passcode", "zip", "extension", "password"];

/// Words before which a number is a version: "three point eleven".
pub(super) const VERSIONED: &[&str] = &[
    "version", "v", "python", "release", "ubuntu", "ios", "android", "macos", "rust", "java", "go", "linux", "firefox",
];

/// Kings, queens and popes: a Roman numeral behind them is an ordinal.
pub(super) const RULERS: &[&str] = &[
    "Henry",
    "Elizabeth",
    "Louis",
    "George",
    "Charles",
    "Edward",
    "Richard",
    "James",
    "William",
    "Mary",
    "Peter",
    "Catherine",
    "Alexander",
    "Nicholas",
    "Ivan",
    "Paul",
    "John",
    "Pius",
    "Benedict",
    "Leo",
    "Gregory",
    "Clement",
    "Innocent",
    "Philip",
    "Ferdinand",
    "Francis",
    "Frederick",
    "Wilhelm",
    "Napoleon",
    "Leopold",
    "Ptolemy",
    "Ramesses",
];

/// A Roman numeral behind these is a number.
pub(super) const NUMBERED: &[&str] = &[
    "chapter", "part", "volume", "book", "act", "scene", "war", "section", "article", "phase", "stage", "type",
    "class", "level", "appendix", "title", "season", "episode", "world", "bowl", "mark", "grade", "factor",
];
