package org.megatron.mobile.media

import android.media.MediaFormat
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.megatron.mobile.detector.YuvColour
import org.robolectric.RobolectricTestRunner

@RunWith(RobolectricTestRunner::class)
class YuvImagesTest {
    private fun colour(standard: Int?, range: Int?) = colourOf(
        MediaFormat().apply {
            standard?.let { setInteger(MediaFormat.KEY_COLOR_STANDARD, it) }
            range?.let { setInteger(MediaFormat.KEY_COLOR_RANGE, it) }
        },
    )

    @Test
    fun `a decoder's word on colours is taken, and its silence is BT 601 limited`() {
        assertEquals(YuvColour.BT601_LIMITED, colour(null, null))
        assertEquals(YuvColour.BT709_LIMITED, colour(MediaFormat.COLOR_STANDARD_BT709, MediaFormat.COLOR_RANGE_LIMITED))
        assertEquals(YuvColour.BT709_FULL, colour(MediaFormat.COLOR_STANDARD_BT709, MediaFormat.COLOR_RANGE_FULL))
        assertEquals(YuvColour.BT601_FULL, colour(MediaFormat.COLOR_STANDARD_BT601_PAL, MediaFormat.COLOR_RANGE_FULL))
        assertEquals(YuvColour.BT601_LIMITED, colour(MediaFormat.COLOR_STANDARD_BT601_NTSC, null))
        assertEquals(YuvColour.BT709_LIMITED, colour(MediaFormat.COLOR_STANDARD_BT2020, null))
    }
}
