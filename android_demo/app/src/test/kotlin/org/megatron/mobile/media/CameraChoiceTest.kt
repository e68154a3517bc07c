package org.megatron.mobile.media

import org.junit.Assert.assertEquals
import org.junit.Test

class CameraChoiceTest {
    @Test
    fun `pictures are turned against the display on the back and with it on the front`() {
        val back = CameraChoice("0", isFront = false, width = 1280, height = 720, sensorOrientation = 90)
        val front = CameraChoice("1", isFront = true, width = 1280, height = 720, sensorOrientation = 270)
        // As the documentation of CameraCharacteristics.SENSOR_ORIENTATION has it, for a display turned by 0, 90, 180, 270.
        assertEquals(listOf(90, 0, 270, 180), listOf(0, 90, 180, 270).map(back::rotation))
        assertEquals(listOf(270, 0, 90, 180), listOf(0, 90, 180, 270).map(front::rotation))
    }
}
