//! Tables of what is written and what is said, and properties over any text.

use super::normalize;

fn check(table: &[(&str, &str)]) {
    for (written, said) in table {
        assert_eq!(normalize(written), *said, "{written:?}");
        assert_eq!(normalize(said), *said, "normalizing twice");
    }
}

#[test]
fn letters_punctuation_and_plain_numbers() {
    check(&[
        ("ENTER NINE ONE", "enter nine one"),
        ("It\u{2019}s 21, Mary-Ann & Zo\u{eb}!", "it's twenty one mary ann and zoe"),
        ("'tis the dogs' life", "tis the dogs life"),
        ("1,234 and 1000000", "one thousand two hundred thirty four and one million"),
        ("3.5% of 0", "three point five percent of zero"),
        ("the 1st, 12th, 20th and 42nd", "the first twelfth twentieth and forty second"),
        ("007", "zero zero seven"),
        ("na\u{ef}ve, nai\u{308}ve, \u{141}\u{f3}d\u{17a}, STRASSE, Stra\u{df}e", "naive naive lodz strasse strasse"),
        (
            "999,999,999,999",
            "nine hundred ninety nine billion nine hundred ninety nine million nine hundred ninety nine thousand nine hundred ninety nine",
        ),
        ("1,000,000,000,000", "one trillion"),
        ("\u{201c}rock \u{2018}n\u{2019} roll\u{201d}\u{2014}4 ever\u{2026}", "rock n roll four ever"),
        ("  ", ""),
    ]);
}

#[test]
fn abbreviations() {
    check(&[
        ("Mr. King, Mrs. Hall and MR ROE", "mister king missus hall and mister roe"),
        ("Well Ms. Russel, 5 ms", "well miss russel five milliseconds"),
        ("Dr. Who lives on Maple Dr., Dr. Roe", "doctor who lives on maple drive doctor roe"),
        ("St. Paul in St Louis", "saint paul in saint louis"),
        ("on Main St. near 42nd St. Bridge", "on main street near forty second street bridge"),
        ("ST. JOHN IS ON ELM ST.", "saint john is on elm street"),
        ("st. john, the 1st st", "saint john the first st"),
        ("Prof. Lee on Mt. Everest; a prof. He left", "professor lee on mount everest a prof he left"),
        ("No. 5, no. 6. No. No!", "number five number six no no"),
        ("ham, eggs, etc. Cats vs. dogs", "ham eggs et cetera cats versus dogs"),
        ("Sammy Davis Jr. and John Sr.", "sammy davis junior and john senior"),
        ("The Hon. H. G. Bennet", "the honorable h g bennet"),
        ("Smith & Co. and Tools Inc.", "smith and company and tools incorporated"),
        ("the U.S.A., D.N.A.'s, a.m. and P.M.", "the u s a d n a's a m and p m"),
        ("i.e. this, e.g., that; I. E. Smith, a Ph.D.", "that is this for example that i e smith a p h d"),
        ("Mme. de X, OK?", "madame de x okay"),
        ("ten per cent, p. 5, vol. 2", "ten percent page five volume two"),
        ("Hmm... you, I...I'm, Joe...", "hmm you i i'm joe"),
    ]);
}

#[test]
fn dates_in_figures() {
    check(&[
        ("12/25/1999, 05/06/1998", "twelve twenty five nineteen ninety nine zero five zero six nineteen ninety eight"),
        ("on 1999-12-25.", "on nineteen ninety nine twelve twenty five"),
        ("2019/2020", "twenty nineteen twenty twenty"),
        ("3/4 of 24/7", "three quarters of twenty four seven"),
    ]);
}

#[test]
fn money_and_units() {
    check(&[
        ("5$ or 1€, $3", "five dollars or one euro three dollars"),
        ("$5, $1 and $3.50", "five dollars one dollar and three dollars and fifty cents"),
        ("$1.01, $0.50, $0.01, $2.00", "one dollar and one cent fifty cents one cent two dollars"),
        ("\u{a3}5.20 or \u{20ac}1,000", "five pounds and twenty pence or one thousand euros"),
        ("$5 million, $5.2bn, $3k", "five million dollars five point two billion dollars three thousand dollars"),
        ("$2.50 million dollars", "two point five zero million dollars"),
        ("a $100 bill, $5-10, $3.5", "a one hundred dollar bill five to ten dollars three point five dollars"),
        ("50\u{a2}, [$]", "fifty cents"),
        ("20\u{b0}C, 1\u{b0}, 68 \u{b0}F", "twenty degrees celsius one degree sixty eight degrees fahrenheit"),
        ("5 km, 1 kg, 60km/h, 6 ft", "five kilometers one kilogram sixty kilometers per hour six feet"),
        ("12% of 3.25%", "twelve percent of three point two five percent"),
    ]);
}

#[test]
fn years_dates_and_times() {
    check(&[
        ("1990, 1905, 1900, 2000", "nineteen ninety nineteen oh five nineteen hundred two thousand"),
        ("in 2005 and 2011.", "in two thousand five and twenty eleven"),
        ("the 1990s, 1900s, '90s and 1940's", "the nineteen nineties nineteen hundreds nineties and nineteen forties"),
        ("1500 metres, 1200 people", "one thousand five hundred metres one thousand two hundred people"),
        ("1066 men in 1066", "one thousand sixty six men in ten sixty six"),
        ("1990 was good, 2,005 too", "nineteen ninety was good two thousand five too"),
        ("1914-18, 1990\u{2013}1995", "nineteen fourteen to eighteen nineteen ninety to nineteen ninety five"),
        ("13th July, 1922", "thirteenth july nineteen twenty two"),
        ("July 4, 1776; Dec. 25", "july fourth seventeen seventy six december twenty fifth"),
        ("You may 5", "you may five"),
        ("5:30, 10:05, 12:00", "five thirty ten oh five twelve o'clock"),
        ("5:00 pm, 5:15 a.m. and 5.30 P.M.", "five p m five fifteen a m and five thirty p m"),
        ("at 5pm, 7 A.M.", "at five p m seven a m"),
        ("19:00 Hours", "nineteen hundred hours"),
        ("odds of 3:1", "odds of three to one"),
    ]);
}

#[test]
fn fractions_ranges_and_symbols() {
    check(&[
        ("1/2, 3/4, 2/3, 1/8", "one half three quarters two thirds one eighth"),
        ("1 1/2, 2 3/4, 1\u{bd}", "one and a half two and three quarters one and a half"),
        ("24/7, 9/11, 3/4/2005", "twenty four seven nine eleven three four two thousand five"),
        ("pages 5-10, a 24-hour B-52", "pages five to ten a twenty four hour b fifty two"),
        ("555-1234", "five five five one two three four"),
        ("2+2=4, x = y, C++", "two plus two equals four x equals y c plus plus"),
        ("-5 or \u{2212}3, well-5", "minus five or minus three well five"),
        ("#1, press # or dial *", "number one press pound or dial star"),
        ("[+] [=] @@ me@home.org", "me at home dot org"),
        ("www.asterisk.org.", "w w w dot asterisk dot org"),
        ("the 20s, two 6s", "the twenties two sixes"),
        (".5, v1.2.3, H.323", "point five v one point two point three h three hundred twenty three"),
        ("WD40, 3D, (Y/N)?", "wd forty three d y n"),
        ("World War II, Henry VIII", "world war ii henry viii"),
    ]);
}

/// Pseudo-random numbers below a limit.
fn random(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |limit| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % limit
    }
}

#[track_caller]
fn holds_the_properties(text: &str, latin: bool) {
    let once = normalize(text);
    assert_eq!(normalize(&once), once, "twice: {text:?}");
    assert!(!once.starts_with(' ') && !once.ends_with(' ') && !once.contains("  "), "{text:?} -> {once:?}");
    for word in once.split(' ') {
        assert!(!word.starts_with('\'') && !word.ends_with('\''), "{text:?} -> {once:?}");
        let allowed = |c: char| c == '\'' || if latin { c.is_ascii_lowercase() } else { c.is_alphabetic() };
        assert!(word.chars().all(allowed), "{text:?} -> {once:?}");
    }
}

#[test]
fn any_text_gives_letters_and_normalizing_twice_changes_nothing() {
    let parts = [
        "St", "st", ".", " ", "Dr", "no", "No", "mr", "Mr", "1", "0", "19", "1990", "2005", "$", "\u{a3}", "/", ":",
        "-", "\u{2013}", ",", "'", "s", "th", "am", "p", "m", "million", "%", "#", "+", "=", "@", "com", "i", "e", "g",
        "km", "\u{b0}", "C", "May", "Paul", "hours", "o'clock", "cent", "per", "\u{e9}", "\u{301}", "\u{bd}",
        "\u{2026}", "&", "press", "*", "ms", "ph", "d", "Jan", "bill", "999", "00", "k",
    ];
    let mut random = random(11);
    for _ in 0..20_000 {
        let text: String = (0..1 + random(9)).map(|_| parts[random(parts.len())]).collect();
        holds_the_properties(&text, true);
    }
    for _ in 0..5_000 {
        let text: String = (0..random(30)).filter_map(|_| char::from_u32(random(0x3000) as u32)).collect();
        holds_the_properties(&text, false);
    }
}

#[test]
fn every_character_alone_and_between_words() {
    for character in (0..=0x10_ffff).filter_map(char::from_u32) {
        holds_the_properties(&format!("{character} a{character}1"), false);
    }
}
