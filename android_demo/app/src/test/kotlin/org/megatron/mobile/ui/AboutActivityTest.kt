package org.megatron.mobile.ui

import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.megatron.mobile.R
import org.megatron.mobile.detector.sha256Of

class AboutActivityTest : ScreenTest() {
    private fun texts(view: View): List<String> = when (view) {
        is ViewGroup -> (0 until view.childCount).flatMap { texts(view.getChildAt(it)) }
        is TextView -> listOf(view.text.toString())
        else -> emptyList()
    }

    @Test
    fun `the manifest is told - model, accuracy, rule, limits and hashes`() {
        val activity = start<AboutActivity>().get()
        assertMessage(activity, "Checking the model…")
        finishWork()
        val said = texts(activity.findViewById(R.id.sections))
        val hash = sha256Of("a program".byteInputStream()).chunked(8).joinToString(" ")
        for (text in listOf(
            "demo", "$PROGRAM, int8, 0.0 MB", "32 × 32 px around the face, margin 1.5", "0.987", "95%", "12 real, 12 fake",
            "98%", hash, "4fdced8f 07d37127 174e6fdf e82fad7b 0695069d e8f7b0b1 8f218347 7a2e36a2",
            "10 frames a second, windows of 20 frames, a new one every 10. A window counts if at least 50% of its frames " +
                "show a face. A video is called fake from 50%.",
        )) assertTrue("$text in $said", text in said)
        assertTrue("the demo's model says that it is one", said.any { it.startsWith("This is the model of the demonstration") })
    }

    @Test
    fun `that videos never leave the phone is said, and the app could not send them`() {
        val activity = start<AboutActivity>().get()
        assertTrue(texts(activity.findViewById(R.id.page)).any { "never leave it" in it })
        val asked = app.packageManager.getPackageInfo(app.packageName, android.content.pm.PackageManager.GET_PERMISSIONS)
        assertEquals(listOf(android.Manifest.permission.CAMERA), asked.requestedPermissions.toList())
    }
}
