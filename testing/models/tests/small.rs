//! Every model holds within its small bounds, and none of its rules can be left out.

use phalanx_models::{Size, courses, refutations};

fn check(model: &str) {
    let all = courses();
    for course in all.iter().filter(|course| course.size == Size::Small && course.name.starts_with(model)) {
        let finding = course.run();
        assert_eq!(finding.violations, [], "{}", course.name);
        assert!(finding.unmet.is_empty(), "{}: never met {:?}", course.name, finding.unmet);
    }
    for one in refutations().iter().filter(|one| one.name.starts_with(model)) {
        let finding = one.run();
        let fails = finding.violations.iter().any(|(property, _)| *property == one.property);
        assert!(fails, "{}: {} holds all the same", one.name, one.property);
    }
}

#[test]
fn votes_go_directly_and_an_end_has_a_place() {
    check("voting");
}

#[test]
fn who_leaves_a_view_together_has_the_same_of_it() {
    check("flush");
}

#[test]
fn two_views_never_decide_while_who_decides_changes() {
    check("charter");
}

#[test]
fn nobody_takes_over_before_the_last_lease_is_over() {
    check("takeover");
}
