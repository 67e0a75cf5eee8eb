//! How English is read: as written, as said.

use super::check;

#[test]
fn numbers() {
    check(
        Some("en-us"),
        &[
            ("I have 3 apples and 21 pears.", "I have three apples and twenty-one pears."),
            (
                "It has 1,000,000 parts, 12,345 of them new.",
                "It has one million parts, twelve thousand three hundred forty-five of them new.",
            ),
            ("It's 3.14, not 0.5.", "It's three point one four, not zero point five."),
            ("a .5 share", "a point five share"),
            ("From -5 to +3, and −40.", "From minus five to plus three, and minus forty."),
            ("The 1st, 2nd, 3rd, 21st and 100th.", "The first, second, third, twenty-first and one hundredth."),
            ("5–10 minutes, 3-4 hours", "five to ten minutes, three to four hours"),
            ("It is 50/50 since 9/11, on 3/14.", "It is fifty fifty since nine eleven, on March fourteenth."),
            ("1/2 cup, 2/3, 2 1/2 cups, 24/7", "one half cup, two thirds, two and a half cups, twenty-four seven"),
            ("It is 16:9, and 3:1.", "It is sixteen to nine, and three to one."),
            ("007", "zero zero seven"),
            ("99999999999999999999", &["nine"; 20].join(" ")),
            ("1. Buy milk\n2) Sleep", "one: Buy milk\ntwo: Sleep"),
            ("3 + 4 = 7, 10 - 4 = 6", "three plus four equals seven, ten minus four equals six"),
            ("½ of it, x² and 2^10", "one half of it, x squared and two to the power of ten"),
            ("Then I counted: 1, 2, 3.", "Then I counted: one, two, three."),
        ],
    );
}

#[test]
fn years_and_dates() {
    check(
        Some("en-us"),
        &[
            ("In 1999 and 2005; by 2026.", "In nineteen ninety-nine and two thousand five; by twenty twenty-six."),
            ("1905, 1900, 2000", "nineteen oh five, nineteen hundred, two thousand"),
            ("1999 files", "one thousand nine hundred ninety-nine files"),
            ("the 1990s and the '90s", "the nineteen nineties and the nineties"),
            ("1941–1945", "nineteen forty-one to nineteen forty-five"),
            ("On March 3rd, 2026 we met.", "On March third, twenty twenty-six we met."),
            (
                "March 3 was cold, in March 2026 it rained.",
                "March third was cold, in March twenty twenty-six it rained.",
            ),
            ("Jan. 5, 2024", "January fifth, twenty twenty-four"),
            ("on 3/4/2026", "on March fourth, twenty twenty-six"),
            ("on 25/4/2026", "on April twenty-fifth, twenty twenty-six"),
            ("2026-03-14", "March fourteenth, twenty twenty-six"),
            ("2026-03-14T14:05:00Z", "March fourteenth, twenty twenty-six, fourteen oh five"),
            ("You may 3 times try.", "You may three times try."),
        ],
    );
    check(Some("en-gb"), &[("on 3/4/2026", "on the third of April twenty twenty-six")]);
}

#[test]
fn times() {
    check(
        Some("en-us"),
        &[
            ("It is 14:05 now.", "It is fourteen oh five now."),
            ("Come at 9:00.", "Come at nine o'clock."),
            ("Come at 3pm.", "Come at three PM."),
            ("At 3:30 p.m. we left.", "At three thirty PM we left."),
            ("It began at 10 a.m.", "It began at ten AM."),
            ("09:05 AM", "nine oh five AM"),
            ("00:00", "midnight"),
            ("1:02:03", "one oh two and three seconds"),
        ],
    );
}

#[test]
fn money_and_percentages() {
    check(
        Some("en-us"),
        &[
            ("It costs $5.50.", "It costs five dollars and fifty cents."),
            (
                "$1, $0.99, $1,234.56",
                "one dollar, ninety-nine cents, one thousand two hundred thirty-four dollars and fifty-six cents",
            ),
            ("$1.5 million or €3bn", "one point five million dollars or three billion euros"),
            ("$20k, $5M, 10k users", "twenty thousand dollars, five million dollars, ten thousand users"),
            (
                "5 €, £3.20, 100 ₽, 5 USD",
                "five euros, three pounds and twenty pence, one hundred roubles, five dollars",
            ),
            ("$5-$10, $5-10", "five dollars to ten dollars, five to ten"),
            ("5% of 2.5 %", "five percent of two point five percent"),
            ("5-10%", "five to ten percent"),
        ],
    );
}

#[test]
fn units() {
    check(
        Some("en-us"),
        &[
            ("5 kg, 1 kg, 11 lbs", "five kilograms, one kilogram, eleven pounds"),
            (
                "120 km/h, 65 mph, 10 m/s",
                "one hundred twenty kilometers per hour, sixty-five miles per hour, ten meters per second",
            ),
            (
                "20 °C, -5°C, 68 °F, 90°",
                "twenty degrees Celsius, minus five degrees Celsius, sixty-eight degrees Fahrenheit, ninety degrees",
            ),
            ("16GB of RAM, 1 MB, 50 Hz", "sixteen gigabytes of RAM, one megabyte, fifty hertz"),
            ("It took 5 s, 30 min and 200 ms.", "It took five seconds, thirty minutes and two hundred milliseconds."),
            ("50 m²", "fifty square meters"),
            ("I gave him 5 in all.", "I gave him five in all."),
        ],
    );
}

#[test]
fn names_with_numbers() {
    check(
        Some("en-us"),
        &[
            (
                "Version 1.2.3, v2.0, Python 3.11",
                "Version one point two point three, version two point zero, Python three point eleven",
            ),
            ("192.168.1.1", "one hundred ninety-two dot one hundred sixty-eight dot one dot one"),
            (
                "MP3, GPT-4, COVID-19, B12, 3D, a 4K TV",
                "MP three, GPT four, COVID nineteen, B twelve, three D, a four K TV",
            ),
            ("Room 305, room 101, flight 1204", "Room three oh five, room one oh one, flight twelve oh four"),
            ("PIN 0420, code 9876", "PIN zero four two zero, code nine eight seven six"),
            ("Call +1 555 123-4567.", "Call plus one, five five five, one two three, four five six seven."),
            (
                "(555) 123-4567, 555-1234",
                "five five five, one two three, four five six seven, five five five, one two three four",
            ),
            (
                "World War II, Henry VIII, Chapter IV, Elizabeth I.",
                "World War two, Henry the eighth, Chapter four, Elizabeth the first.",
            ),
            ("Peter, I think so. I and V.", "Peter, I think so. I and V."),
        ],
    );
}

#[test]
fn abbreviations_and_addresses() {
    check(
        Some("en-us"),
        &[
            ("Mr. Smith met Dr. Jones (e.g. today).", "Mister Smith met Doctor Jones (for example today)."),
            ("Main St. near St. Paul", "Main Street near Saint Paul"),
            ("In St. Louis, on Mulberry Dr. at noon", "In Saint Louis, on Mulberry Drive at noon"),
            ("apples, pears, etc.", "apples, pears, et cetera."),
            ("apples, etc., are fruit", "apples, et cetera, are fruit"),
            ("No. 5 is alive. No. I do not.", "number five is alive. No. I do not."),
            ("AT&T and R&D", "AT and T and R and D"),
            ("john.doe@example.com", "john dot doe at example dot com"),
            ("See docs.rs, main.rs and README.md.", "See docs dot rs, main dot rs and README dot md."),
            ("The end.Next one. U.S. and a.m.", "The end.Next one. U.S. and AM."),
            ("w/o sugar, cats vs. dogs", "without sugar, cats versus dogs"),
        ],
    );
}
