//! The only list of the cases.
//!
//! A case that is not on the list is dead code, which the compiler reports.

/// Runs the cases on a store, each as its own test: `conformance!(fixture)`.
///
/// `fixture` is an expression that creates an empty [`Fixture`](crate::Fixture); it is
/// evaluated once for each case, in a module below the one the macro is called in. Two stores in one file
/// need a module each.
///
/// `conformance!(service: fixture)` runs only the cases of the `service` group, for stores that refuse valid
/// operations on purpose.
#[macro_export]
macro_rules! conformance {
    (service: $fixture:expr) => {
        $crate::__service_cases!([$crate::__tests] $fixture);
    };
    ($fixture:expr) => {
        $crate::__contract_cases!([$crate::__tests] $fixture);
        $crate::__service_cases!([$crate::__tests] $fixture);
        $crate::__fault_cases!([$crate::__tests] $fixture);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __contract_cases {
    ([$($then:tt)*] $($with:tt)*) => { $($then)*! { [$($with)*] contract
        records {
            what_was_never_put_is_absent
            what_was_put_is_read_back
            a_new_handle_reads_what_was_put
            putting_again_replaces
            a_changed_record_has_another_version
            what_was_deleted_is_absent
            deleting_what_is_not_there_changes_nothing
            channels_and_accounts_are_kept_apart
            odd_but_legal_names_survive
            metadata_survives_as_it_is
            a_request_without_times_stays_without
            what_is_read_at_once_is_what_is_read
        }
        conditions {
            an_unchanged_record_holds
            a_record_that_appeared_conflicts
            a_record_that_changed_conflicts
            a_record_that_was_deleted_conflicts
            an_unchanged_range_holds
            a_range_that_grew_conflicts
            a_range_in_which_something_changed_conflicts
            a_range_that_shrank_conflicts
            a_range_in_which_one_took_the_place_of_another_conflicts
            changes_elsewhere_do_not_conflict
            a_change_beside_a_record_does_not_conflict
            one_failing_condition_refuses_all_changes
            conditions_are_checked_where_nothing_is_written
            after_a_conflict_the_new_state_is_read
        }
        batches {
            several_kinds_change_in_one_batch
            several_accounts_change_in_one_batch
            one_request_takes_the_place_of_another
            a_request_may_change_its_code
            the_same_code_serves_two_channels
            a_large_batch_is_written_whole
            trying_to_write_changes_no_record
        }
        ranges {
            a_range_holds_its_records_and_no_other
            pages_show_each_record_exactly_once
            only_the_last_page_has_no_next
            the_order_stays_between_changes
            every_page_has_the_version_of_the_whole
            an_empty_range_is_no_error
            deleted_records_leave_their_range
            each_range_notices_each_deletion
        }
        feed {
            the_present_is_told_at_once
            without_a_timeout_nothing_is_waited_for
            own_commits_are_told
            nothing_is_missed_by_who_comes_late
            a_waiter_is_woken_by_another_handle
            a_wait_ends_when_something_happens
            every_follower_is_told
            a_refused_batch_does_not_stop_the_feed
            a_position_of_another_time_is_answered
        }
        threads {
            of_those_who_read_the_same_one_wins
            no_update_is_lost
            one_handle_serves_several_threads
            writers_of_different_records_all_succeed
            a_batch_is_seen_whole_or_not_at_all
        }
        registry {
            every_kind_is_read_back_as_it_was_put
            every_member_can_be_replaced
            every_kind_can_be_deleted
            every_stage_of_a_role_survives
            every_surface_of_a_node_survives
            another_request_of_a_device_takes_the_place_of_the_first
            an_approval_is_one_batch
            each_range_holds_its_kind_page_by_page
            an_empty_registry_is_no_error
            what_has_changed_conflicts
            what_has_not_changed_holds
            followers_are_told
        }
    } };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __service_cases {
    ([$($then:tt)*] $($with:tt)*) => { $($then)*! { [$($with)*] service
        requests {
            a_stranger_gets_a_code
            asking_again_meets_the_same_request
            asking_again_is_noted_once_a_minute
            newer_data_of_a_sender_is_shown_once_a_minute
            a_gate_admits_or_asks_in_one_step
            every_spelling_is_the_same_sender
            who_cannot_be_a_sender_leaves_nothing
            metadata_is_bounded_and_kept
            the_fourth_is_turned_away_and_counted
            one_who_insists_is_counted_once_a_minute
            the_cap_is_per_account_and_channel
            a_request_that_ends_makes_room
            who_is_allowed_needs_no_code
            only_the_policy_pairing_offers_codes
            a_code_that_is_taken_is_drawn_again
            channels_have_codes_of_their_own
            without_entropy_nothing_happens
        }
        decisions {
            approving_lets_in_and_ends_the_request
            a_new_handle_sees_the_approval
            a_code_is_typed_forgivingly
            a_code_works_once
            a_wrong_code_approves_nobody
            a_code_of_another_channel_is_wrong
            the_wrong_account_is_told_the_right_one
            rejecting_ends_the_request
            rejecting_a_sender_of_two_accounts_takes_the_account
            without_the_scope_nothing_is_decided
            approving_who_is_allowed_already_ends_the_request
            a_decision_leaves_other_requests_alone
            every_kind_of_approver_may_decide
            an_approval_is_reverted_and_its_code_works_again
        }
        allowlist {
            allowing_and_revoking
            a_revocation_is_seen_by_a_new_handle
            accounts_have_lists_of_their_own
            nobody_and_everybody_are_refused
            allowing_ends_a_pending_request
            who_was_revoked_may_ask_anew
            the_whole_list_is_listed
            groups_and_closed_policies_pay_no_heed
            a_policy_for_direct_messages_closes_no_group
            a_grant_names_the_user_that_the_sender_is
        }
        expiry {
            a_code_works_until_its_last_millisecond
            and_not_a_millisecond_longer
            coming_back_does_not_prolong_it
            what_has_expired_vanishes_with_the_next_request
            requests_from_the_future_count_as_expired
            requests_without_a_time_count_as_expired
            requests_of_long_ago_count_as_expired
            a_clock_set_back_lets_nobody_in
        }
        lockout {
            ten_wrong_codes_lock_out_for_a_quarter_of_an_hour
            a_right_code_forgives_the_wrong_ones
            wrong_codes_are_forgotten_after_five_minutes
            all_handles_count_together
            approvers_and_channels_count_apart
            the_terminal_is_never_locked_out
            what_can_be_no_code_is_not_counted
            a_code_is_redeemed_by_its_own_sender_alone
            wrong_redemptions_lock_out_one_sender_and_can_be_asked_for
            wrong_codes_of_many_senders_are_not_kept
        }
        claims {
            a_claim_code_admits_who_presents_it
            t146_a_claim_code_admits_one_sender_once
            t146_of_several_claims_at_once_one_admits
            a_claim_code_is_presented_to_its_own_account
            a_claim_code_works_until_its_last_millisecond
            t146_wrong_claims_lock_out_their_sender_even_for_right_codes
            what_can_be_no_claim_code_is_not_counted
            t146_only_the_hash_of_a_claim_code_is_stored
            t146_claim_codes_are_bounded_and_expired_ones_deleted
            t146_other_policies_neither_issue_nor_spend
            who_is_allowed_already_spends_nothing
            a_claim_ends_the_senders_own_request
            a_claim_code_can_be_ended
            without_the_scope_no_claim_code_is_issued
            a_clock_set_back_makes_no_claim_code_valid
            t146_counts_of_guessing_senders_are_bounded
        }
        bearers {
            t160_a_token_is_verified_until_it_is_revoked
            t160_only_the_hash_of_a_bearer_token_is_stored
            t160_nobody_gives_a_client_more_than_they_hold
            t160_a_client_decides_within_its_scopes
            a_token_from_elsewhere_is_taken_over_once
            a_bearer_token_is_valid_until_its_last_millisecond
            bearer_clients_are_bounded_and_expired_ones_deleted
            the_clients_of_a_user_are_revoked_together
        }
        at_once {
            a_service_that_never_waits_decides_alike
            a_change_is_reported_once
        }
        together {
            three_of_many_strangers_get_a_code
            one_stranger_gets_one_code
            a_request_is_approved_once
            approved_or_rejected_but_not_both
            no_grant_is_lost
            no_wrong_code_goes_uncounted
        }
        nodes {
            t124_what_a_node_does_not_say_again_stays_and_so_does_the_id
            a_newer_name_of_a_node_is_shown_with_the_next_refresh
        }
        tokens {
            t125_an_approved_upgrade_reaches_a_device_that_has_only_its_token
            t126_an_unrelated_approval_does_not_widen_a_narrowed_token
            t126_approvals_and_rotations_of_one_millisecond_are_in_order
            t126_a_clock_set_back_loses_no_approval
            a_node_token_with_scopes_is_taken_without_them
        }
        surface {
            t33_asking_for_more_commands_is_another_request
            an_operators_ask_leaves_the_nodes_commands
            t33_a_node_does_what_was_approved_and_waits_for_the_rest
            t33_approving_adds_the_commands_and_nothing_else
            declaring_less_changes_nothing
            what_is_declared_no_more_is_asked_no_more
            rejecting_leaves_the_commands_that_were_approved
            the_first_names_of_a_node_approved_without_any_count
            t33_a_node_that_named_nothing_was_approved_for_nothing
            a_code_asks_for_what_the_node_declares
            a_node_of_a_known_network_has_what_it_came_with
            t33_a_revoked_node_starts_afresh
            who_is_no_node_has_no_commands
            t88_what_a_connected_node_waits_for_does_not_expire
            t88_holding_is_written_once_a_minute_and_revives_nothing
        }
    } };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __fault_cases {
    ([$($then:tt)*] $($with:tt)*) => { $($then)*! { [$($with)*] faults
        store {
            spurious_conflicts_go_unnoticed
            endless_conflicts_end_in_an_error
            a_request_that_was_not_written_was_not_made
            an_approval_that_was_not_written_can_be_repeated
            a_request_whose_answer_was_lost_is_met_again
            an_approval_whose_answer_was_lost_stands_whole
            a_revocation_that_failed_says_so
            who_cannot_be_looked_up_is_not_admitted
            what_could_not_be_read_whole_is_not_decided
            a_wrong_code_is_counted_once_however_often_it_is_tried
            a_guess_that_could_not_be_counted_tells_nothing
        }
    } };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ([$fixture:expr] $group:ident $($module:ident { $($case:ident)* })*) => {
        mod $group {$(
            mod $module {
                #[allow(unused_imports, reason = "the fixture may need nothing of its module")]
                use super::super::*;
                $(
                    #[test]
                    fn $case() {
                        $crate::cases::$group::$module::$case(&$fixture);
                    }
                )*
            }
        )*}
    };
}

/// Makes the cases in private modules accessible to the macro.
macro_rules! entrances {
    ([] $group:ident $($module:ident { $($case:ident)* })*) => {
        pub mod $group {$(
            pub mod $module {
                use crate::$group::$module as group;
                $(
                    pub fn $case(fixture: &crate::Fixture) {
                        group::$case(fixture);
                    }
                )*
            }
        )*}
    };
}

#[doc(hidden)]
pub mod cases {
    __contract_cases!([entrances]);
    __service_cases!([entrances]);
    __fault_cases!([entrances]);
}
