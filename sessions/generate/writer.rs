//! The text of a trace and of an answer, put together from templates and sentences.

use std::fmt::Write as _;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::DOCUMENT;
use crate::prose::{Chapter, Prose, Sentence};

/// The stages of the journey as the first chapters plan them: from, to, days.
const STAGES: [(&str, &str, &str, u32); 8] = [
    ("London", "Suez", "rail and steamboats", 7),
    ("Suez", "Bombay", "steamer", 13),
    ("Bombay", "Calcutta", "rail", 3),
    ("Calcutta", "Hong Kong", "steamer", 13),
    ("Hong Kong", "Yokohama", "steamer", 6),
    ("Yokohama", "San Francisco", "steamer", 22),
    ("San Francisco", "New York", "rail", 7),
    ("New York", "London", "steamer and rail", 9),
];

const PLANS: [&str; 5] = [
    "First I will list what this chapter says about time and place, then compare it with the plan.",
    "Before anything else, the dates. After them, the money, because the two are told together.",
    "I need three things from here: where they are, what day it is, and how much has been spent.",
    "Let me go through this part in order and write down each claim with its line.",
    "This part is mostly talk. Still, there may be a date in it, so I read it closely.",
];
const REMARKS: [&str; 14] = [
    "That is a statement about a person and not about the calendar, so it changes nothing in the sum.",
    "This gives no date by itself. Together with the line before it, it does.",
    "So the clock of the story is still where I had it.",
    "I note it down and go on.",
    "The word matters here: it is said by one of them, not by the narrator, and may be wrong.",
    "If that is right, the margin is smaller than it was in the last chapter.",
    "This is consistent with the plan.",
    "It is not quite what the plan says. The difference is small, but differences add up.",
    "He is told to be exact to the minute, and the text uses that on purpose.",
    "A steamer or a train is meant; which of them decides how many days I count.",
    "I take the text at its word here.",
    "Here the money is mentioned, and the bag grows lighter.",
    "The place is clear. The day has to be worked out.",
    "It would be easy to read over this. It is the kind of line in which the trick may be hidden.",
];
const TURNS: [&str; 16] = [
    "Wait, that does not fit with what I wrote above.",
    "Wait. I have counted the day of departure twice.",
    "However, the text says “at” and not “by”, and that is a difference of some hours.",
    "Let me recheck this against the itinerary in the third chapter.",
    "Actually, the order of the two sentences is the other way round.",
    "Hmm, who says this? If it is the detective, he wants it to be so.",
    "But then the train could not have been on time.",
    "Alternatively, the delay is already contained in the number of days.",
    "On second thought, the simplest reading is the right one.",
    "Wait, which meridian is this clock set to? The servant never changes his watch.",
    "However, I should not decide this from one sentence.",
    "Let me reconsider the direction: they go east, towards the sun.",
    "Actually, I can check it in another way, from the end.",
    "But that is a conclusion and not yet a proof.",
    "Hmm. Two readings are possible, and I keep both until the next date.",
    "So I was wrong about the hour, but not about the day.",
];
const AFTER: [&str; 9] = [
    "The sentence that decides it is this one:",
    "I look for the place once more.",
    "It stands a little further on:",
    "There is a second place that says the same:",
    "What does the text really say?",
    "I read it again, slowly.",
    "To be sure, I take the neighbouring sentence as well.",
    "This is what it rests on:",
    "Here it is, word for word:",
];
const CLOSINGS: [&str; 6] = [
    "With that the chapter is done, and the account stands as before.",
    "Nothing in this chapter contradicts the plan. I carry the balance over.",
    "The balance after this chapter is open by some hours. I mark it and go on.",
    "So far the journal and the calendar agree.",
    "I have what I need from this chapter.",
    "One doubt remains from here, and I will come back to it at the end.",
];

pub struct Writer<'p> {
    prose: &'p Prose,
    random: ChaCha8Rng,
    /// What was said last of each kind, so that nothing is said twice in a row.
    said: Vec<&'static str>,
}

impl<'p> Writer<'p> {
    pub fn new(prose: &'p Prose, seed: u64) -> Self {
        Self {
            prose,
            random: ChaCha8Rng::seed_from_u64(seed),
            said: Vec::new(),
        }
    }

    fn below(&mut self, n: usize) -> usize {
        (self.random.next_u64() % n.max(1) as u64) as usize
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        loop {
            let said = from[self.below(from.len())];
            if !self.said.contains(&said) {
                self.said.push(said);
                if self.said.len() > 3 {
                    self.said.remove(0);
                }
                return said;
            }
        }
    }

    /// Reasoning of about `bytes` about all chapters.
    pub fn trace(&mut self, bytes: usize) -> String {
        let mut text = self.opening();
        let chapters = &self.prose.chapters;
        let share = bytes.saturating_sub(text.len() + 2_000) / chapters.len();
        for (place, chapter) in chapters.iter().enumerate() {
            let until = text.len() + share;
            let _ = write!(text, "\n\n## Chapter {}: {}\n\n", chapter.number, chapter.title);
            text.push_str(self.pick(&PLANS));
            self.chapter(place, chapter, until, &mut text);
            let _ = write!(text, "\n\n{}", self.pick(&CLOSINGS));
        }
        text.push_str("\n\n## Putting it together\n\n");
        text.push_str(&ledger());
        text.push_str(
            "\n\nWait, that is seventy-nine by the calendar of London and eighty by his own journal. Both are right: \
             whoever goes round the earth eastwards sees the sun rise once more than those who stay at home. He counted \
             eighty sunrises and they counted seventy-nine.\n\nSo the answer is yes, and the reason is the day that he did \
             not know of. I can write it down now.",
        );
        text
    }

    fn opening(&mut self) -> String {
        let mut text = String::from(
            "The question has two parts. The first is a matter of reading: which days are named, and where. The second is a \
             sum. I should not answer the second from memory, however well known the story is; I have to find each date in \
             the text and say in which line it stands.\n\nThe plan of the journey is given early. I write it down first, so \
             that I can compare:\n\n",
        );
        for (number, (from, to, by, days)) in STAGES.iter().enumerate() {
            let _ = writeln!(text, "{}. {from} to {to}, by {by}: {days} days.", number + 1);
        }
        let total: u32 = STAGES.iter().map(|(.., days)| days).sum();
        let _ = write!(
            text,
            "\nThat makes {total} days. Let me recheck the addition: 7 + 13 = 20, + 3 = 23, + 13 = 36, + 6 = 42, + 22 = 64, + 7 \
             = 71, + 9 = 80. Yes, {total}.\n\n{}",
            self.pick(&TURNS)
        );
        text
    }

    fn chapter(&mut self, place: usize, chapter: &Chapter, until: usize, text: &mut String) {
        let mut at = 0;
        let mut step = 0;
        while text.len() < until && at < chapter.sentences.len() {
            match self.below(12) {
                0..=6 => {
                    step += 1;
                    let _ = write!(text, "\n\n{step}. ");
                    self.quote(&chapter.sentences[at], text);
                    let _ = write!(text, " {}", self.pick(&REMARKS));
                    at += 1 + self.below(3);
                }
                7 => {
                    let _ = write!(text, "\n\n{} {} ", self.pick(&TURNS), self.pick(&AFTER));
                    self.quote(&chapter.sentences[at], text);
                    let _ = write!(text, " {}", self.pick(&REMARKS));
                    at += 1;
                }
                8 => {
                    let _ = write!(text, "\n\n{} ", self.pick(&TURNS));
                    let back = at.saturating_sub(1 + self.below(6));
                    self.quote(&chapter.sentences[back], text);
                    let _ = write!(text, " {} {}", self.pick(&REMARKS), self.pick(&REMARKS));
                    at += 1;
                }
                9 | 10 => {
                    let _ = write!(text, "\n\n{} ", self.pick(&AFTER));
                    self.quote(&chapter.sentences[at], text);
                    let _ = write!(text, " {}", self.pick(&REMARKS));
                    at += 1;
                }
                _ => {
                    let (hours, minutes) = (self.below(24), self.below(60));
                    let _ = write!(
                        text,
                        "\n\nSo by my count {} days, {hours} hours and {minutes} minutes are gone. {}",
                        place * 79 / self.prose.chapters.len(),
                        self.pick(&REMARKS)
                    );
                }
            }
            if at >= chapter.sentences.len() && text.len() < until {
                // A second reading of the chapter, which finds something else.
                text.push_str(
                    "\n\nI go through this chapter once more, from its beginning, with the other reading in mind.",
                );
                at = self.below(5);
            }
        }
    }

    /// A sentence word for word, with its place; now and then the place is cited.
    fn quote(&mut self, sentence: &Sentence, text: &mut String) {
        let quoted = shortened(&sentence.text);
        let _ = write!(text, "“{quoted}” ({DOCUMENT}:{}).", sentence.line);
        if self.below(12) == 0 {
            let _ = write!(text, "\u{1}{}\u{2}{quoted}\u{3}", sentence.line);
        }
    }

    /// The first sentence that has these words.
    fn place(&self, words: &str) -> Option<&'p Sentence> {
        let sentences = self.prose.chapters.iter().flat_map(|chapter| &chapter.sentences);
        sentences.into_iter().find(|sentence| sentence.text.contains(words))
    }

    /// A quotation of the first sentence that has these words, with its place, verified.
    fn evidence(&self, words: &str) -> String {
        self.place(words).map_or_else(String::new, |sentence| {
            let quoted = shortened(&sentence.text);
            let line = sentence.line;
            format!("“{quoted}” (`{DOCUMENT}:{line}`)\u{1}{line}\u{2}{quoted}\u{3}")
        })
    }

    pub fn answer(&self) -> String {
        let mut text = String::from(
            "\n\n# Did he win?\n\n**Yes.** Phileas Fogg was back in London on the *eightieth* day, and believed that he was a day \
             late. He had travelled **eastward**, and so gained the day that he thought he had lost.\n\n## The plan\n\n| Stage | By | \
             Days |\n|---|---|---:|\n",
        );
        for (from, to, by, days) in STAGES {
            let _ = writeln!(text, "| {from} – {to} | {by} | {days} |");
        }
        let total: u32 = STAGES.iter().map(|(.., days)| days).sum();
        let _ = write!(
            text,
            "| **Round the world** | | **{total}** |\n\n## What decides it\n\n"
        );
        let _ = writeln!(text, "1. The wager: {}", self.evidence("twenty thousand pounds"));
        let _ = writeln!(text, "2. The end: {}", self.evidence("had won his wager"));
        let _ = writeln!(text, "3. The reason: {}\n", self.evidence("gained one day"));
        let _ = write!(
            text,
            "- Each degree that one goes east makes the day shorter by four minutes.\n- The whole circle has 360 of them:\n  - \
             360 × 4 minutes are 1,440 minutes,\n  - which is one day.\n- On the way he counted eighty days; in London seventy-nine had \
             passed.\n\n> {}\n\nWhoever goes *westward* loses a day by the same sum.\n",
            self.place("What had he really gained")
                .map_or("What had he really gained by all this trouble?", |sentence| sentence
                    .text
                    .as_str())
        );
        text
    }

    pub fn short_trace(&mut self) -> String {
        let mut text = String::from(
            "This is a sum, and a short one. The earth turns once in twenty-four hours, so it turns 15 degrees an hour.\n\nLet me recheck: \
             360 / 24 = 15. Yes. So an hour is gained for every 15 degrees of longitude.\n\nHowever, the person asks for it an hour at a \
             time, so a table by hours, or a few lines of code, would be better than one number.\n\n",
        );
        text.push_str(self.pick(&AFTER));
        text.push(' ');
        if let Some(sentence) = self.place("multiplied by four minutes") {
            self.quote(sentence, &mut text);
        }
        text.push_str("\n\nWait, I should say what happens at the date line too, or the sum looks like magic. One sentence is enough.");
        text
    }

    pub fn short_answer(&self) -> String {
        format!(
            "\n\nOne hour for every **15 degrees** east, twenty-four in all. As a program:\n\n```python\ndef gained(degrees_east):\n    \"\"\"Hours \
             that a clock set by the sun is ahead of the one at home.\"\"\"\n    minutes = 4 * degrees_east\n    return minutes / 60\n\n\nfor \
             place, degrees in [(\"Suez\", 32.5), (\"Bombay\", 72.8), (\"Hong Kong\", 114.2), (\"London\", 360)]:\n    print(f\"{{place:10}} \
             {{gained(degrees):5.1f}} h\")\n```\n\nAt 360 degrees that is a whole day, which the text says itself: {}\n",
            self.evidence("multiplied by four minutes")
        )
    }
}

/// The plan once more, as a running sum.
fn ledger() -> String {
    let mut text = String::from("I add up what I have:\n");
    let mut sum = 0;
    for (from, to, _, days) in STAGES {
        sum += days;
        let _ = write!(text, "\n- {from} – {to}: {days}, which makes {sum}");
    }
    text
}

/// At most about forty words, whole.
fn shortened(text: &str) -> String {
    let text = text.replace(['“', '”', '"'], "'");
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.len() <= 40 {
        return words.join(" ");
    }
    words[..36].join(" ") + " …"
}
