package org.megatron.mobile.ui

import android.app.Activity
import android.content.res.Configuration
import android.os.Looper
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.megatron.mobile.R
import org.robolectric.ParameterizedRobolectricTestRunner
import org.robolectric.ParameterizedRobolectricTestRunner.Parameters
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf

/** Every scene, over pairs of orientation, theme, language and font size. */
@RunWith(ParameterizedRobolectricTestRunner::class)
class EverySettingTest(private val setting: Setting) {
    private val titles = mapOf<Class<out Activity>, Map<String, String>>(
        CheckActivity::class.java to mapOf("en" to "Check a video", "it" to "Verifica un video"),
        LiveActivity::class.java to mapOf("en" to "Live", "it" to "Dal vivo"),
        BenchmarkActivity::class.java to mapOf("en" to "Speed on this phone", "it" to "Velocità su questo telefono"),
        AboutActivity::class.java to mapOf("en" to "About this model", "it" to "Informazioni sul modello"),
    )

    @Test
    fun `every screen can be read in full and used`() {
        RuntimeEnvironment.setQualifiers(setting.qualifiers)
        RuntimeEnvironment.setFontScale(setting.fontScale)
        val failures = scenes.mapNotNull { scene ->
            try {
                val activity = inScene(scene, ::greys)
                assertSetting(activity)
                assertReadable(activity)
                activity.finish()
                null
            } catch (fault: AssertionError) {
                "${scene.name}: ${fault.message}"
            }
        }
        assertEquals(emptyList<String>(), failures)
    }

    private fun assertSetting(activity: Activity) {
        val texts = everything(activity.findViewById(R.id.page)).filterIsInstance<TextView>().map { it.text.toString() }
        assertEquals("the language", titles.getValue(activity.javaClass)[setting.language], texts.first())
        val configuration = activity.resources.configuration
        assertEquals("the font size", setting.fontScale, configuration.fontScale, 0f)
        val isLandscape = configuration.orientation == Configuration.ORIENTATION_LANDSCAPE
        assertEquals("the orientation", setting.orientation == "land", isLandscape)
        val ground = if (setting.theme == "night") 0xff111216.toInt() else 0xfff6f6fa.toInt()
        assertEquals("the theme", ground, activity.getColor(R.color.background))
    }

    companion object {
        @JvmStatic
        @Parameters(name = "{0}")
        fun settings() = Setting.pairs
    }
}

/** Play [scene] on an app that begins anew, with frames from [picture]. */
fun inScene(scene: Scene, picture: (Int) -> Pair<org.megatron.mobile.detector.Frame, org.megatron.mobile.detector.Box>): Activity {
    val app = RuntimeEnvironment.getApplication() as TestApp
    app.filesDir.deleteRecursively()
    shadowOf(app).denyPermissions(android.Manifest.permission.CAMERA)
    app.renew()
    val settle = { shadowOf(Looper.getMainLooper()).idle() }
    val stage = Stage(
        app,
        finishWork = {
            app.phone.quick.runAll()
            try {
                app.phone.worker.runAll()
            } finally {
                settle()
            }
        },
        picture = picture,
    )
    val activity = scene.play(stage)
    settle()
    return activity
}
