package org.megatron.mobile.ui

import android.content.res.Resources
import org.megatron.mobile.R
import org.megatron.mobile.detector.MANIFEST_FILE
import org.megatron.mobile.detector.Opening
import org.megatron.mobile.detector.SCHEMA_VERSION

/** Why the bundled model is not used. */
sealed interface Refusal {
    /** Opening it showed why. */
    data class Model(val opening: Opening.Refused) : Refusal

    /** The runtime cannot load or execute it; [reason] is for the log. */
    data class Runtime(val reason: String) : Refusal
}

/** The sentence that a person reads. */
fun Refusal.sentence(resources: Resources): String = when (this) {
    is Refusal.Runtime -> resources.getString(R.string.refused_runtime)
    is Refusal.Model -> when (opening) {
        Opening.Absent -> resources.getString(R.string.refused_missing, MANIFEST_FILE)
        is Opening.Missing -> resources.getString(R.string.refused_missing, opening.path)
        is Opening.Unreadable -> resources.getString(R.string.refused_unreadable)
        is Opening.OtherVersion -> resources.getString(R.string.refused_version, opening.found, SCHEMA_VERSION)
        Opening.PaddedFit -> resources.getString(R.string.refused_fit)
        Opening.Untrained -> resources.getString(R.string.refused_untrained)
        is Opening.NoProgram -> resources.getString(R.string.refused_unusable)
        is Opening.Damaged -> resources.getString(R.string.refused_corrupted, opening.path)
    }
}
