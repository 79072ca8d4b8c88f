//! Prose as chapters and sentences, each with the line it begins in.

/// A sentence as it stands in the text, but for its line breaks.
#[derive(Debug, Clone)]
pub struct Sentence {
    pub text: String,
    /// From 1.
    pub line: usize,
}

#[derive(Debug)]
pub struct Chapter {
    pub number: String,
    pub title: String,
    pub sentences: Vec<Sentence>,
}

#[derive(Debug)]
pub struct Prose {
    pub chapters: Vec<Chapter>,
    pub lines: usize,
}

impl Prose {
    /// Chapters begin with a line `Chapter I`, and their titles are in capitals.
    pub fn parse(text: &str) -> Self {
        let mut chapters: Vec<Chapter> = Vec::new();
        let mut paragraph: Vec<(usize, &str)> = Vec::new();
        for (number, line) in text.lines().chain([""]).enumerate() {
            let line = line.trim();
            if let Some(roman) = line.strip_prefix("Chapter ") {
                chapters.push(Chapter {
                    number: roman.to_owned(),
                    title: String::new(),
                    sentences: Vec::new(),
                });
                continue;
            }
            if !line.is_empty() {
                paragraph.push((number + 1, line));
                continue;
            }
            let lines = std::mem::take(&mut paragraph);
            let Some(chapter) = chapters.last_mut() else { continue };
            let is_title = lines.iter().all(|(_, line)| *line == line.to_uppercase());
            if is_title && chapter.title.is_empty() {
                let words: Vec<&str> = lines.iter().map(|(_, line)| *line).collect();
                chapter.title = capitalised(&words.join(" "));
            } else {
                chapter.sentences.extend(sentences(&lines));
            }
        }
        Self {
            chapters,
            lines: text.lines().count(),
        }
    }
}

fn capitalised(title: &str) -> String {
    let mut text = title.to_lowercase();
    for name in [
        "phileas",
        "fogg",
        "passepartout",
        "fix",
        "aouda",
        "singapore",
        "hong kong",
        "san francisco",
        "pacific",
    ] {
        let proper: Vec<String> = name.split(' ').map(first_upper).collect();
        text = text.replace(name, &proper.join(" "));
    }
    first_upper(&text)
}

fn first_upper(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn sentences(lines: &[(usize, &str)]) -> Vec<Sentence> {
    let mut found = Vec::new();
    let mut open: Option<Sentence> = None;
    for &(line, text) in lines {
        for word in text.split_whitespace() {
            let sentence = open.get_or_insert_with(|| Sentence {
                text: String::new(),
                line,
            });
            if !sentence.text.is_empty() {
                sentence.text.push(' ');
            }
            sentence.text.push_str(word);
            let bare = word.trim_end_matches(['"', '\'', ')']);
            let ends = bare.ends_with(['.', '?', '!']) && !["Mr.", "Mrs.", "No.", "Dr.", "St."].contains(&bare);
            if ends {
                found.extend(open.take());
            }
        }
    }
    found.extend(open);
    found.retain(|sentence| sentence.text.len() > 20);
    found
}
