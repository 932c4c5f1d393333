from gigq_core.identity import *  # noqa
from gigq_core.identity import ProcessIdentity, current_identity, is_dead, process_start  # noqa
