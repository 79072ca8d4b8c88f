use super::*;

#[test]
fn nothing_need_be_closed_or_opened() {
    let mut flow = Flow::new(1000);
    flow.end_table();
    flow.end_list();
    flow.end_heading();
    flow.end_verbatim();
    flow.end_cell();
    flow.cell();
    flow.text("a");
    flow.begin_table();
    flow.cell();
    flow.text("b");
    flow.cell();
    flow.text("c");
    assert_eq!(flow.finish().text, "a\nb | c\n");
}

#[test]
fn marks_stand_at_the_line_that_follows() {
    let mut flow = Flow::new(1000);
    flow.text("a");
    flow.end_block();
    flow.mark(Mark::Anchor("x".into()));
    flow.end_block();
    flow.text("b");
    flow.end_block();
    flow.mark(Mark::Anchor("end".into()));
    let done = flow.finish();
    assert_eq!(
        done.marks,
        [(1, Mark::Anchor("x".into())), (2, Mark::Anchor("end".into()))]
    );
}

#[test]
fn marks_stay_with_their_row() {
    let mut flow = Flow::new(1000);
    flow.text("a");
    flow.begin_table();
    for id in ["x", "y"] {
        flow.row();
        flow.cell();
        flow.text("1");
        flow.cell();
        flow.mark(Mark::Anchor(id.into()));
        flow.text("2");
    }
    flow.end_table();
    let done = flow.finish();
    assert_eq!(done.text, "a\n1 | 2\n1 | 2\n");
    assert_eq!(
        done.marks,
        [(1, Mark::Anchor("x".into())), (2, Mark::Anchor("y".into()))]
    );
}

#[test]
fn soft_hyphens_and_no_break_spaces_do_not_hinder_a_search() {
    let mut flow = Flow::new(1000);
    flow.text("co\u{ad}operate\u{a0}\n now\u{200b}adays");
    assert_eq!(flow.finish().text, "cooperate nowadays\n");
}

#[test]
fn wide_rows_are_broken() {
    let mut flow = Flow::new(1 << 20);
    flow.begin_table();
    for _ in 0..2500 {
        flow.cell();
        flow.text("x");
    }
    assert_eq!(flow.finish().lines, 3);
}
