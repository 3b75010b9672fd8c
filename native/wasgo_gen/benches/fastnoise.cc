// FastNoise Lite over a grid, for benches/noise.rs to compare with: compiled against its header as it comes.
#include "FastNoiseLite.h"

extern "C" void wasgo_fill2(float *out, int side, float frequency) {
  FastNoiseLite noise(1337);
  noise.SetNoiseType(FastNoiseLite::NoiseType_OpenSimplex2);
  noise.SetFrequency(frequency);
  for (int z = 0; z < side; z++)
    for (int x = 0; x < side; x++) *out++ = noise.GetNoise((float)x, (float)z);
}

extern "C" void wasgo_fill3(float *out, int side, float frequency) {
  FastNoiseLite noise(1337);
  noise.SetNoiseType(FastNoiseLite::NoiseType_OpenSimplex2);
  noise.SetFrequency(frequency);
  for (int z = 0; z < side; z++)
    for (int y = 0; y < side; y++)
      for (int x = 0; x < side; x++) *out++ = noise.GetNoise((float)x, (float)y, (float)z);
}

extern "C" void wasgo_density(float *out, int side, float frequency) {
  FastNoiseLite noise(1337);
  noise.SetNoiseType(FastNoiseLite::NoiseType_OpenSimplex2);
  noise.SetFractalType(FastNoiseLite::FractalType_FBm);
  noise.SetFractalOctaves(5);
  noise.SetFrequency(frequency);
  for (int z = 0; z < side; z++)
    for (int y = 0; y < side; y++)
      for (int x = 0; x < side; x++) *out++ = noise.GetNoise((float)x, (float)y, (float)z);
}
