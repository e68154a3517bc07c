package org.megatron.mobile.ui

import android.os.Bundle
import android.widget.LinearLayout
import org.megatron.mobile.R
import org.megatron.mobile.detector.ArtifactRow
import org.megatron.mobile.detector.Manifest
import org.megatron.mobile.detector.WINDOW

/** About: what the manifest says of the model, its limits, and what becomes of videos. */
class AboutActivity : Screen() {
    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        setContentView(R.layout.about)
        val version = packageManager.getPackageInfo(packageName, 0).versionName
        say(R.id.version, getString(R.string.about_version, version))
    }

    override fun states() = listOf(app.model.state)

    override fun render() {
        val model = app.model.state.value
        say(
            R.id.message,
            when (model) {
                UiState.Model.Opening -> getString(R.string.checking_model)
                is UiState.Model.Refused -> refusal()
                is UiState.Model.Ready -> null
            },
        )
        val sections = find<LinearLayout>(R.id.sections)
        sections.removeAllViews()
        if (model is UiState.Model.Ready) render(model.manifest, model.program, sections)
    }

    private fun render(manifest: Manifest, program: ArtifactRow, sections: LinearLayout) {
        renderModel(manifest, program, section(sections, getString(R.string.about_model)))
        renderAccuracy(manifest, program, section(sections, getString(R.string.about_accuracy)))
        val decision = manifest.decision
        sentence(
            section(sections, getString(R.string.about_decision)),
            getString(
                R.string.about_decision_value, wording.number(decision.frameRate, 0), WINDOW, decision.hop,
                wording.percent(decision.minCoverage), wording.percent(decision.threshold),
            ),
        )
        val limits = section(sections, getString(R.string.about_limits))
        if (manifest.source.recipe == DEMO) sentence(limits, getString(R.string.about_limits_demo))
        sentence(limits, getString(R.string.about_limits_text))
        val hashes = section(sections, getString(R.string.about_hashes))
        fact(hashes, R.string.about_hash_program, grouped(program.sha256))
        fact(hashes, R.string.about_hash_weights, grouped(manifest.source.weightsSha256))
        manifest.goldenSha256?.let { fact(hashes, R.string.about_hash_golden, grouped(it)) }
    }

    private fun renderModel(manifest: Manifest, program: ArtifactRow, card: LinearLayout) {
        fact(card, R.string.about_name, manifest.name)
        fact(card, R.string.about_recipe, "${manifest.source.recipe}, ${manifest.source.codeVersion}")
        fact(card, R.string.about_created, manifest.created.replace('T', ' ').substringBefore('+') + " UTC")
        val megabytes = wording.number(program.sizeBytes / 1e6, 1)
        fact(card, R.string.about_program, "${program.path}, ${program.precision}, $megabytes MB")
        fact(card, R.string.about_runtime, "${program.runtimeName} ${program.runtimeVersion}, ${program.backend}")
        val spec = manifest.preprocess
        fact(card, R.string.about_input, getString(R.string.about_input_value, spec.size, wording.number(spec.margin, 1)))
        val depth = if (manifest.depthTrained) R.string.about_depth_yes else R.string.about_depth_no
        fact(card, R.string.about_depth, getString(depth))
    }

    private fun renderAccuracy(manifest: Manifest, program: ArtifactRow, card: LinearLayout) {
        val test = manifest.metrics?.get("student")?.get("test")
        if (test == null) {
            sentence(card, getString(R.string.about_accuracy_none))
        } else {
            sentence(card, getString(R.string.about_accuracy_split))
            test["auc"]?.let { fact(card, R.string.about_auc, wording.number(it, 3)) }
            test["frame_auc"]?.let { fact(card, R.string.about_frame_auc, wording.number(it, 3)) }
            test["accuracy"]?.let { fact(card, R.string.about_right, wording.percent(it)) }
            val (real, fake) = test["videos_real"] to test["videos_fake"]
            if (real != null && fake != null) {
                fact(card, R.string.about_videos, getString(R.string.about_videos_value, real.toInt(), fake.toInt()))
            }
        }
        program.accuracy?.let { fact(card, R.string.about_same_verdict, wording.percent(it.agreement)) }
    }

    /** In groups of eight, so that a long hash breaks between them. */
    private fun grouped(hash: String): String = hash.chunked(8).joinToString(" ")

    private companion object {
        const val DEMO = "demo"
    }
}
