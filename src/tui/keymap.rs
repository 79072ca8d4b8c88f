//! Which keys mean what, where: the default keys of the command table, changed by the person's own.
//!
//! A binding is a sequence of chords in a [`Context`]. Several contexts hold at once, the most specific first
//! ([`App::contexts`](super::app::App)); the first that knows the chords pressed so far decides, whether it has an action for
//! them or waits for another chord. Keys of a more specific context therefore hide those of the others, and never the other
//! way round.

mod chord;

use std::fmt;

pub use chord::{Chord, chords, written};

use super::command::{self, Action};
use crate::config::{self, Problem, did_you_mean};

macro_rules! contexts {
    ($($(#[doc = $doc:literal])* $context:ident = $name:literal,)*) => {
        /// Where a key has its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Context { $($(#[doc = $doc])* $context,)* }

        impl Context {
            pub const ALL: &[Self] = &[$(Self::$context,)*];

            /// As it is written in the configuration.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$context => $name,)* }
            }
        }
    };
}

contexts! {
    /// Always.
    Global = "global",
    /// Nothing lies over the panes.
    Panes = "panes",
    /// The question is being written.
    Composer = "composer",
    /// Nothing of it has been written yet.
    Empty = "empty",
    /// What has been written of it begins with `/`.
    Slash = "slash",
    /// The conversation is being read.
    Conversation = "conversation",
    Documents = "documents",
    Inspector = "inspector",
    /// A document is open.
    Viewer = "viewer",
    /// A change to the documents waits for an answer.
    Plan = "plan",
    /// The help lies over everything.
    Help = "help",
    /// The ledger lies over the conversation.
    Ledger = "ledger",
    /// Two thoughts lie side by side over everything.
    Compare = "compare",
    /// The list of sessions is open.
    Sessions = "sessions",
    /// What to search for is being written.
    Search = "search",
    /// A line is being written: what to search for, a filter, a part of a command's name.
    Prompt = "prompt",
}

/// What begins the sequences that hold in all panes; by the shorter one where no text is written.
const LEADER: &str = "leader";
const LEADERS: &[(Context, &str)] = &[
    (Context::Panes, "ctrl-x"),
    (Context::Conversation, "space"),
    (Context::Inspector, "space"),
];

/// The chords that are written, wherever they hold: `leader p` in all panes is `ctrl-x p`, and `space p` where one reads.
fn with_leader(context: Context, keys: &str) -> Result<Vec<(Context, Vec<Chord>)>, String> {
    let Some(rest) = keys.strip_prefix(LEADER).filter(|rest| rest.starts_with(' ')) else {
        return Ok(vec![(context, chords(keys)?)]);
    };
    let here = LEADERS
        .iter()
        .filter(|(at, _)| *at == context || context == Context::Panes);
    let all = here.map(|&(at, leader)| Ok((at, chords(&format!("{leader}{rest}"))?)));
    let all: Vec<_> = all.collect::<Result<_, String>>()?;
    if all.is_empty() {
        return Err(format!("there is no leader in `{context}`"));
    }
    Ok(all)
}

/// What the chords pressed so far mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Action(Action),
    /// More chords are to come.
    Begun,
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    context: Context,
    chords: Vec<Chord>,
    action: Action,
}

/// A binding as it is written in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    pub context: &'static str,
    pub keys: String,
    /// The name of the action, and what it does.
    pub action: &'static str,
    pub help: &'static str,
}

/// All bindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap(Vec<Binding>);

impl Default for Keymap {
    fn default() -> Self {
        let keys = |command: &'static command::Command| {
            let bind = |&(context, keys): &(Context, &str)| {
                let all = with_leader(context, keys).expect("the keys of the table are tested");
                all.into_iter().map(|(context, chords)| Binding {
                    context,
                    chords,
                    action: command.action,
                })
            };
            command.keys.iter().flat_map(bind)
        };
        Self(command::all().flat_map(keys).collect())
    }
}

impl Keymap {
    /// The default, changed by a person's own bindings, the action of which may be `none`; and all that is wrong with them,
    /// which is left out.
    #[must_use]
    pub fn with(own: &[config::Binding]) -> (Self, Vec<Problem>) {
        let mut keymap = Self::default();
        let mut problems = Vec::new();
        let mut made = Vec::new();
        let problem = |binding: &config::Binding, message| Problem {
            place: Some(binding.place.clone()),
            message,
        };
        for binding in own {
            match keymap.bind(binding) {
                Ok(all) => made.extend(all.into_iter().map(|(context, chords)| (binding, context, chords))),
                Err(message) => problems.push(problem(binding, message)),
            }
        }
        for (binding, context, chords) in made {
            if let Some(shorter) = keymap.hides(context, &chords) {
                let (keys, shorter) = (written(&chords), written(shorter));
                let message = format!("`{keys}` would never be reached: `{shorter}` means something already");
                problems.push(problem(binding, message));
            }
        }
        (keymap, problems)
    }

    fn bind(&mut self, own: &config::Binding) -> Result<Vec<(Context, Vec<Chord>)>, String> {
        let known = Context::ALL.iter().find(|known| known.name() == own.context);
        let context = *known.ok_or_else(|| {
            let meant = did_you_mean(&own.context, Context::ALL.iter().map(|context| context.name()));
            format!("there is no context `{}`{meant}", own.context)
        })?;
        let all = with_leader(context, &own.keys).map_err(|message| format!("`{}` is no key: {message}", own.keys))?;
        let found = match &*own.action {
            "none" => None,
            name => Some(command::named(name).ok_or_else(|| {
                let names = command::all()
                    .filter(|command| !command.hidden)
                    .map(|command| command.name);
                format!("there is no action `{name}`{}", did_you_mean(name, names))
            })?),
        };
        for (context, chords) in &all {
            self.0
                .retain(|binding| binding.context != *context || binding.chords != *chords);
            // The person's own keys come first, so that help and hints show them.
            self.0.splice(
                ..0,
                found.map(|command| Binding {
                    context: *context,
                    chords: chords.clone(),
                    action: command.action,
                }),
            );
        }
        Ok(all)
    }

    /// The shorter sequence in the same context that is an action already, so that these chords are never completed.
    fn hides(&self, context: Context, chords: &[Chord]) -> Option<&[Chord]> {
        let shorter = |binding: &&Binding| {
            binding.context == context && binding.chords.len() < chords.len() && chords.starts_with(&binding.chords)
        };
        self.0.iter().find(shorter).map(|binding| &*binding.chords)
    }

    /// What chords mean in these contexts, the most specific first.
    #[must_use]
    pub fn find(&self, contexts: &[Context], pressed: &[Chord]) -> Found {
        for &context in contexts {
            let mut begun = false;
            for binding in self.0.iter().filter(|binding| binding.context == context) {
                if binding.chords == pressed {
                    return Found::Action(binding.action);
                }
                begun |= binding.chords.starts_with(pressed);
            }
            if begun {
                return Found::Begun;
            }
        }
        Found::Nothing
    }

    /// What can follow chords that have been pressed: each next chord, and the action that it completes if it does.
    #[must_use]
    pub fn hints(&self, contexts: &[Context], pressed: &[Chord]) -> Vec<(Chord, Option<Action>)> {
        let mut hints: Vec<(Chord, Option<Action>)> = Vec::new();
        for &context in contexts {
            for binding in self.0.iter().filter(|binding| binding.context == context) {
                let Some([next, rest @ ..]) = binding.chords.strip_prefix(pressed) else {
                    continue;
                };
                if !hints.iter().any(|(known, _)| known == next) {
                    hints.push((*next, rest.is_empty().then_some(binding.action)));
                }
            }
        }
        hints
    }

    /// The keys of an action as they are shown, `Ctrl-X p`.
    pub fn keys_of(&self, action: Action) -> impl Iterator<Item = String> {
        let mut bound: Vec<_> = self.0.iter().filter(|binding| binding.action == action).collect();
        // A key by itself is the easiest to press.
        bound.sort_by_key(|binding| binding.chords.len());
        let mut shown: Vec<String> = Vec::new();
        for binding in bound {
            let keys = written(&binding.chords);
            if !shown.contains(&keys) {
                shown.push(keys);
            }
        }
        shown.into_iter()
    }

    /// Every binding, context by context.
    pub fn bindings(&self) -> impl Iterator<Item = Bound> {
        let of = |context| self.0.iter().filter(move |binding| binding.context == context);
        let all = Context::ALL.iter().flat_map(move |&context| of(context));
        all.map(|binding| {
            let command = command::of(binding.action);
            let keys: Vec<_> = binding.chords.iter().map(Chord::name).collect();
            Bound {
                context: binding.context.name(),
                keys: keys.join(" "),
                action: command.name,
                help: command.help,
            }
        })
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
pub mod tests;
