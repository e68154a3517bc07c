package org.megatron.mobile.media

import android.net.Uri
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import java.io.File

/** What can be seen without a decoder: how a video that is none is refused. Real ones need a phone. */
@RunWith(RobolectricTestRunner::class)
class DecodedVideoTest {
    private val context get() = RuntimeEnvironment.getApplication()

    private fun refusal(uri: String) = assertThrows(VideoRefused::class.java) { DecodedVideo.open(context, uri) }.failure

    @Test
    fun `a file that is gone is told from one that is no video`() {
        val file = File(context.filesDir, "gone.mp4")
        assertEquals(CheckFailure.UNREADABLE, refusal(Uri.fromFile(file).toString()))
        file.writeText("This is no video.")
        assertEquals(CheckFailure.NO_VIDEO, refusal(Uri.fromFile(file).toString()))
    }

    @Test
    fun `a provider that does not exist is unreadable`() {
        assertEquals(CheckFailure.UNREADABLE, refusal("content://nobody/video.mp4"))
    }
}
