//! What the products of all instruction sets do alike: they take the format as constants, and tokens in groups that registers hold.

/// `multiply::<BITS, SCALES, OFFSET>(panel, …)` with the panel's format as constants, of which the last is the logarithm of what is
/// taken from each integer, 0 if nothing is; other formats as their equation.
macro_rules! by_format {
    ($multiply:ident $(::<$constant:tt>)? ($panel:expr, $($argument:expr),*)) => {{
        use $crate::compute::cpu::quantised::pack::{Bits, Scales};
        $crate::compute::cpu::quantised::walk::by_format!(@
            $multiply, [$($constant)?], $panel, ($($argument),*),
            Eight Half 7,
            Four Half 3,
            Five Half 4,
            Four HalfMin 0,
            Five HalfMin 0,
            Four Super 0,
            Five Super 0,
            Six Sixteenths 5
        )
    }};
    (@ $multiply:ident, $constants:tt, $panel:expr, $arguments:tt, $($bits:ident $scales:ident $offset:literal),*) => {
        match ($panel.format.bits, $panel.format.scales) {
            $((Bits::$bits, Scales::$scales) => $crate::compute::cpu::quantised::walk::by_format!(@call
                $multiply, $constants, $panel, $arguments, $bits $scales $offset
            ),)*
            _ => $crate::compute::cpu::quantised::walk::by_format!(@plain $panel, $arguments),
        }
    };
    (@call $multiply:ident, [$($constant:tt)?], $panel:expr, ($($argument:expr),*), $bits:ident $scales:ident $offset:literal) => {
        $multiply::<{ Bits::$bits as u8 }, { Scales::$scales as u8 }, $offset $(, $constant)?>($panel, $($argument),*)
    };
    (@plain $panel:expr, ($($argument:expr),*)) => {
        $crate::compute::cpu::quantised::plain::multiply($panel, $($argument),*)
    };
}

/// `group::<…, T>(panel, input, tokens, out, stride)` for the tokens, `T` of them at a time: the first of the counts that there
/// are as many of. The last count is 1.
macro_rules! by_count {
    ($($count:literal)*, $group:ident $constants:tt ($panel:expr, $input:expr, $tokens:expr, $out:expr, $stride:expr)) => {{
        let (mut tokens, mut out) = ($tokens, $out);
        while !tokens.is_empty() {
            let count = [$($count),*].into_iter().find(|count| *count <= tokens.len()).unwrap_or(1);
            let (these, rest) = tokens.split_at(count);
            match count {
                $($count => $crate::compute::cpu::quantised::walk::by_count!(@
                    $group $constants $count ($panel, $input, these, out, $stride)
                ),)*
                _ => unreachable!("one of the counts"),
            }
            tokens = rest;
            if !tokens.is_empty() {
                out = &mut out[count * $stride..];
            }
        }
    }};
    (@ $group:ident [$($constant:ident)*] $count:literal ($($argument:expr),*)) => {
        $group::<$($constant,)* $count>($($argument),*)
    };
}

pub(super) use {by_count, by_format};
