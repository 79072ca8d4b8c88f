//! Addresses of the web in what is drawn as Markdown: which one a place shows.
//!
//! What is drawn of a link is a run of pieces that follow on each other in the source: what it says, and in parentheses
//! where it leads. It may go over several rows.

use super::super::theme::Part;
use super::{Block, Piece, Transcript};

/// What an address of the web begins with.
const SCHEMES: [&str; 4] = ["https://", "http://", "mailto:", "ftp://"];
/// Rows of one link, above and below the one that is pointed at.
const ROWS: usize = 16;
/// A longer one is none.
const LONGEST: usize = 2048;

impl Transcript {
    /// The address that a column of a row in view shows or stands for.
    pub fn address_at(&mut self, column: usize, row: usize) -> Option<String> {
        let first = self.first();
        let place = self.down(first, row);
        let block = self.blocks.get(place.block).filter(|_| row < self.view)?;
        let column = column.checked_sub(block.margin(self.width))?;
        let at = block.drawn_at(place.row, column)?;
        block.address(place.row, at)
    }
}

impl Block {
    /// The address of the link that a byte is drawn in, in this row.
    fn address(&self, row: usize, at: usize) -> Option<String> {
        let rows = row.saturating_sub(ROWS)..(row + ROWS + 1).min(self.height());
        let pieces: Vec<Piece<'_>> = rows.flat_map(|row| self.pieces(row)).collect();
        let here = pieces
            .iter()
            .position(|piece| is_link(piece) && piece.at.contains(&at))?;
        let goes_on = |pair: &[Piece<'_>]| is_link(&pair[0]) && is_link(&pair[1]) && pair[0].at.end == pair[1].at.start;
        let before = pieces[..=here]
            .windows(2)
            .rev()
            .take_while(|pair| goes_on(pair))
            .count();
        let after = pieces[here..].windows(2).take_while(|pair| goes_on(pair)).count();
        let run = &pieces[here - before..=here + after];
        let source = self.source();
        let target =
            |piece: &&Piece<'_>| has(piece, Part::AddressTarget) && source.get(piece.at.clone()) == Some(piece.text);
        let leads: Vec<_> = run.iter().filter(target).collect();
        let said = run.first()?.at.start..run.last()?.at.end;
        let written = match (leads.first(), leads.last()) {
            (Some(first), Some(last)) => source.get(first.at.start..last.at.end)?,
            // Where it says what it leads to, that is not drawn once more.
            _ => match source.get(said.end..)?.strip_prefix("](") {
                Some(hidden) => hidden.split([')', '>', ' ', '\n']).next()?.trim_start_matches('<'),
                None => source.get(said)?,
            },
        };
        let known = SCHEMES.iter().any(|scheme| written.starts_with(scheme));
        (known && written.len() <= LONGEST).then(|| written.to_owned())
    }
}

fn has(piece: &Piece<'_>, part: Part) -> bool {
    piece.parts.iter().any(|known| known == part)
}

fn is_link(piece: &Piece<'_>) -> bool {
    has(piece, Part::Address) || has(piece, Part::AddressTarget)
}
