package org.megatron.mobile.ui

import android.app.Activity
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Test
import org.megatron.mobile.R
import org.robolectric.RuntimeEnvironment

/** What the app says of a bundle that it must not run, on every screen and in both languages. */
class RefusalTest : ScreenTest() {
    private fun refusing(files: MutableMap<String, ByteArray>, english: String, italian: String) {
        phone.files = FakeFiles(files)
        assertOnEveryScreen(english)
        RuntimeEnvironment.setQualifiers("+it")
        assertOnEveryScreen(italian)
    }

    private fun assertOnEveryScreen(sentence: String) {
        assertRefused(start<CheckActivity>().get(), sentence, R.id.choose)
        assertRefused(start<LiveActivity>().get(), sentence, R.id.allow)
        assertRefused(start<BenchmarkActivity>().get(), sentence, R.id.start)
        assertRefused(start<AboutActivity>().get(), sentence, null)
    }

    private fun assertRefused(activity: Activity, sentence: String, action: Int?) {
        finishWork()
        assertMessage(activity, sentence)
        action?.let { assertFalse("nothing to press", activity.shown(it)) }
    }

    @Test
    fun `a bundle that is not there`() = refusing(
        mutableMapOf(),
        "The app was built without a model: manifest.json is missing. Install a version that has one.",
        "L’app è stata creata senza modello: manca manifest.json. Installa una versione che lo contenga.",
    )

    @Test
    fun `a missing program`() = refusing(
        testBundle().also { it.remove(PROGRAM) },
        "The app was built without a model: $PROGRAM is missing. Install a version that has one.",
        "L’app è stata creata senza modello: manca $PROGRAM. Installa una versione che lo contenga.",
    )

    @Test
    fun `a corrupted program`() = refusing(
        testBundle().also { it[PROGRAM] = "another program".toByteArray() },
        "The file $PROGRAM of the model is damaged or was changed. Install the app again.",
        "Il file $PROGRAM del modello è danneggiato o è stato modificato. Installa di nuovo l’app.",
    )

    @Test
    fun `corrupted golden vectors`() = refusing(
        testBundle().also { it["golden/golden.json"] = "[]".toByteArray() },
        "The file golden of the model is damaged or was changed. Install the app again.",
        "Il file golden del modello è danneggiato o è stato modificato. Installa di nuovo l’app.",
    )

    @Test
    fun `a manifest that is no manifest`() = refusing(
        testBundle().also { it["manifest.json"] = "{".toByteArray() },
        "The description of the model cannot be read. Install the app again.",
        "La descrizione del modello non è leggibile. Installa di nuovo l’app.",
    )

    @Test
    fun `another schema version`() = refusing(
        testBundle(schemaVersion = 2),
        "The model was made for another version of the app (format 2, this app reads format 1). Update the app.",
        "Il modello è stato creato per un’altra versione dell’app (formato 2, questa app legge il formato 1). Aggiorna l’app.",
    )

    @Test
    fun `faces that are never scaled`() = refusing(
        testBundle(fit = "pad"),
        "The model expects faces that are never scaled. It was made for comparisons, not for phones: the app does not use it.",
        "Il modello si aspetta volti mai ridimensionati. Serve per confronti, non per i telefoni: l’app non lo usa.",
    )

    @Test
    fun `an untrained program`() = refusing(
        testBundle(trained = false),
        "The model was never trained: its answers would mean nothing, so the app does not use it.",
        "Il modello non è mai stato addestrato: le sue risposte non avrebbero senso, quindi l’app non lo usa.",
    )

    @Test
    fun `no program for this runtime`() = refusing(
        testBundle(preferred = null),
        "The model has no program that this app can run. Install a version that has one.",
        "Il modello non ha un programma che questa app possa eseguire. Installa una versione che lo contenga.",
    )

    @Test
    fun `a check of a shared video is refused for the same reason`() {
        phone.files = FakeFiles(testBundle(trained = false))
        start<CheckActivity>()
        app.check.start("content://videos/party.mp4")
        finishWork()
        assertEquals(
            "The model was never trained: its answers would mean nothing, so the app does not use it.",
            (app.check.state.value as UiState.Check.Refused).why.sentence(app.resources),
        )
    }
}
