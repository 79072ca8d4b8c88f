//! Links in what was said: finding them, pointing at one, walking through those that show.

use super::super::links::{Link, Linker, Mark, Target};
use super::super::text::width;
use super::block::{Row, Spot};
use super::{Anchor, Block, BlockId, Kind, Place, Transcript};
use crate::conversation::Citation;

/// What quotations begin and end with.
const OPENING: [char; 4] = ['`', '"', '“', '«'];
const CLOSING: [char; 4] = ['`', '"', '”', '»'];

impl Target {
    pub fn of(citation: &Citation) -> Option<Self> {
        (!citation.path.is_empty()).then(|| Self {
            path: citation.path.clone(),
            first: citation.line,
            last: citation.line,
        })
    }
}

impl Block {
    /// Recognises the links of the lines that have been completed, or of all there is.
    fn find_links(&mut self, linker: &Linker, all: bool) {
        let new = &self.source()[self.linked..];
        let end = if all {
            Some(new.len())
        } else {
            new.rfind('\n').map(|at| at + 1)
        };
        let Some(end) = end.filter(|&end| end > 0) else {
            return;
        };
        let start = self.linked;
        let found = linker.links(&new[..end]);
        self.linked = start + end;
        for link in found {
            self.mark(Link {
                at: link.at.start + start..link.at.end + start,
                ..link
            });
        }
    }

    /// Marks a stretch of the text, unless a part of it is marked.
    fn mark(&mut self, link: Link) {
        let index = self.links.partition_point(|other| other.at.start < link.at.start);
        let free = |other: Option<&Link>| other.is_none_or(|o| o.at.end <= link.at.start || link.at.end <= o.at.start);
        if free(index.checked_sub(1).map(|before| &self.links[before])) && free(self.links.get(index)) {
            self.links.insert(index, link);
        }
    }

    /// The marks that touch a row of the block, with the columns of its text that they take.
    pub(super) fn marks(&self, row: usize) -> impl Iterator<Item = (&Link, usize, usize)> + Clone {
        let range = self.text_range(row).unwrap_or(0..0);
        // The space that hangs beyond the edge is not marked.
        let end = range.start + self.source()[range.clone()].trim_end().len();
        let first = self.links.partition_point(|link| link.at.end <= range.start);
        let touching = self.links[first..].iter().take_while(move |link| link.at.start < end);
        touching.flat_map(move |link| {
            let columns = self.columns_of(row, &(link.at.start..link.at.end.min(end)));
            columns.into_iter().map(move |(from, to)| (link, from, to))
        })
    }

    /// Where the links lie that show, in order, and where they lead.
    fn leading(&self) -> impl DoubleEndedIterator<Item = (Spot, Target)> {
        let links = self.links.iter().filter_map(|link| match &link.mark {
            Mark::Link(target) => Some((Spot::Text(link.at.start), target.clone())),
            Mark::Doubtful => None,
        });
        let shown = self.shown_text();
        let links = links.filter(move |(spot, _)| matches!(spot, Spot::Text(at) if shown.contains(at)));
        let cited = self.cited().iter().enumerate();
        links.chain(cited.filter_map(|(row, citation)| Some((Spot::Below(row), Target::of(citation)?))))
    }
}

impl Transcript {
    /// Recognises the links of a block: of its complete lines, or of all there is.
    pub fn find_links(&mut self, id: BlockId, linker: &Linker, all: bool) {
        self.blocks[id].find_links(linker, all);
    }

    /// Marks a quotation in the newest answer, where it stands first without a mark: between quotation marks, or by itself
    /// if it is more than a word.
    pub fn mark_quotation(&mut self, quote: &str, mark: &Mark) {
        let Some(block) = self.blocks.iter_mut().rfind(|block| block.kind == Kind::Answer) else {
            return;
        };
        let quote = quote.trim();
        if quote.is_empty() {
            return;
        }
        let source = block.source();
        let quoted = |at: usize| {
            let (before, after) = (source[..at].trim_end(), source[at + quote.len()..].trim_start());
            before.ends_with(OPENING) && after.starts_with(CLOSING)
        };
        let all = source.match_indices(quote).map(|(at, _)| at);
        let (mut places, others): (Vec<usize>, Vec<usize>) = all.partition(|&at| quoted(at));
        if quote.contains(char::is_whitespace) {
            places.extend(others);
        }
        for at in places {
            let (at, before) = (at..at + quote.len(), block.links.len());
            block.mark(Link { at, mark: mark.clone() });
            if block.links.len() > before {
                return;
            }
        }
    }

    /// The link that is drawn at this column and row of the view.
    pub fn link_at(&mut self, column: u16, row: usize) -> Option<Target> {
        let first = self.first();
        let place = self.down(first, row);
        let block = self.blocks.get(place.block).filter(|_| row < self.view)?;
        let column = usize::from(column).checked_sub(block.margin(self.width))?;
        if let Row::Cited(citation) = block.row(place.row) {
            return Target::of(citation);
        }
        // All of a citation is what it leads to.
        let whole = matches!(block.kind, Kind::Citation { .. }) && column < width(block.source());
        let at = block.drawn_at(place.row, column);
        let mut marks = block.marks(place.row).filter_map(|(link, ..)| match &link.mark {
            Mark::Link(target) => Some((target, at.is_some_and(|at| link.at.contains(&at)))),
            Mark::Doubtful => None,
        });
        let first = marks.clone().next().filter(|_| whole);
        let target = marks.find(|(_, here)| *here).or(first);
        target.map(|(target, _)| target.clone())
    }

    /// Where the selected link leads.
    pub fn selected_link(&self) -> Option<Target> {
        let Anchor { block, spot } = self.link?;
        let mut links = self.blocks.get(block)?.leading();
        links.find(|(at, _)| *at == spot).map(|(_, target)| target)
    }

    pub fn select_link(&mut self, forward: bool) {
        let found = if let Some(anchor) = self.link {
            self.beside(anchor.block, Some(anchor.spot), forward)
        } else {
            // The first one in view, or the last; there may be none.
            let first = self.first();
            let after = self.down(first, self.view);
            let all = self.links_between(first, after);
            let found = if forward { all.first() } else { all.last() };
            let edge = if forward { first.block } else { after.block };
            found.copied().or_else(|| self.beside(edge, None, forward))
        };
        if found.is_some() {
            self.link = found;
        }
        if let Some(anchor) = self.link {
            self.reveal(anchor);
            self.read_at(anchor);
        }
    }

    /// Lets go of what is selected; whether something was.
    pub fn let_go(&mut self) -> bool {
        self.drop_selection() | self.link.take().is_some() | self.selected.take().is_some()
    }

    /// The links whose rows lie between two places.
    fn links_between(&mut self, first: Place, after: Place) -> Vec<Anchor> {
        let mut all = Vec::new();
        for id in first.block..=after.block.min(self.blocks.len().saturating_sub(1)) {
            self.measure(id);
            let Some(block) = self.blocks.get(id) else {
                break;
            };
            all.extend(block.leading().filter_map(|(spot, _)| {
                let place = Place {
                    block: id,
                    row: block.row_of(spot),
                };
                (first <= place && place < after).then_some(Anchor { block: id, spot })
            }));
        }
        all
    }

    /// The next link after a place in a block, or the one before it.
    fn beside(&self, block: BlockId, spot: Option<Spot>, forward: bool) -> Option<Anchor> {
        let of = |id: BlockId| {
            self.blocks
                .get(id)
                .into_iter()
                .flat_map(Block::leading)
                .map(|(spot, _)| spot)
        };
        let anchor = |block, spot| Anchor { block, spot };
        if forward {
            let here = of(block).find(|at| spot.is_none_or(|spot| *at > spot));
            let later = || (block + 1..self.blocks.len()).find_map(|id| Some(anchor(id, of(id).next()?)));
            here.map(|spot| anchor(block, spot)).or_else(later)
        } else {
            let here = of(block).rfind(|at| spot.is_none_or(|spot| *at < spot));
            let earlier = || (0..block).rev().find_map(|id| Some(anchor(id, of(id).next_back()?)));
            here.map(|spot| anchor(block, spot)).or_else(earlier)
        }
    }

    /// Scrolls until a place is in view.
    fn reveal(&mut self, anchor: Anchor) {
        let place = self.place(anchor);
        let first = self.first();
        if place < first {
            self.look_at(place);
        } else if place >= self.down(first, self.view) {
            let (target, _) = self.up(place, self.view / 2);
            if target < self.last_view() {
                self.look_at(target);
            } else {
                self.follow();
            }
        }
    }

    /// What the last reply points to: what is cited below its answer, else the links in it, else what its thinking cites.
    pub fn last_cited(&self) -> Vec<Target> {
        let start = self.blocks.iter().rposition(|block| block.kind == Kind::Question);
        let reply = &self.blocks[start.unwrap_or(0)..];
        let of = |wanted: fn(&Kind) -> bool| -> Vec<Target> {
            let blocks = reply.iter().filter(|block| wanted(&block.kind));
            let marks = blocks.flat_map(|block| &block.links);
            let mut targets: Vec<Target> = Vec::new();
            for link in marks {
                if let Mark::Link(target) = &link.mark
                    && !targets.contains(target)
                {
                    targets.push(target.clone());
                }
            }
            targets
        };
        let cited = of(|kind| matches!(kind, Kind::Citation { .. }));
        if !cited.is_empty() {
            return cited;
        }
        let named = of(|kind| *kind == Kind::Answer);
        if !named.is_empty() {
            return named;
        }
        let thoughts = reply.iter().filter_map(Block::thought);
        thoughts
            .flat_map(|thought| &thought.citations)
            .filter_map(Target::of)
            .collect()
    }
}
