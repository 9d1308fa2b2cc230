/* commands.h - the sub-commands, a .c each. */
#pragma once

#include "programs/picstore/cli.h"

extern const struct command command_backup;
extern const struct command command_config;
extern const struct command command_cut;
extern const struct command command_doctor;
extern const struct command command_export;
extern const struct command command_fsck;
extern const struct command command_get;
extern const struct command command_import;
extern const struct command command_ls;
extern const struct command command_move;
extern const struct command command_put;
extern const struct command command_receipt;
extern const struct command command_reindex;
extern const struct command command_restore;
extern const struct command command_rm;
extern const struct command command_session;
extern const struct command command_stat;
extern const struct command command_status;
extern const struct command command_tier;
extern const struct command command_token;
extern const struct command command_undelete;
extern const struct command command_up;
