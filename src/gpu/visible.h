/*
 * Which GPUs are ours: what the environment's lists leave out becomes GPU_HIDDEN, with the reason.
 *
 * NVIDIA_VISIBLE_DEVICES is read by the container's runtime on the host, which has acted by it:
 * then the driver shows no more GPUs than it names, and its numbers, which are the host's, mean
 * nothing in here. `void` and paths are notes of runtimes that gave the devices in another way
 * (CDI, volumes). Only where the driver shows more GPUs than are named (a privileged container, or
 * none) it is left to us. Source: NVIDIA Container Toolkit.
 *
 * CUDA_VISIBLE_DEVICES is read by CUDA in the process that uses the GPUs, so it is applied as CUDA
 * will: the list counts up to its first invalid entry, empty means none, and one MIG instance is
 * the most that a process sees: a card that is cut up means the first of its instances, and what
 * comes after an instance is not read. CUDA counts the fastest first unless
 * CUDA_DEVICE_ORDER=PCI_BUS_ID; with GPUs of different kinds its numbers then cannot be told.
 * Source: CUDA C++ Programming Guide, "CUDA Environment Variables", and its MIG User Guide, "CUDA
 * Device Enumeration". ROCR_VISIBLE_DEVICES, then HIP_VISIBLE_DEVICES within it, are AMD's.
 */
#ifndef GPU_VISIBLE_H
#define GPU_VISIBLE_H

#include "gpu/gpu.h"

void visible_hide_nvidia(struct gpu_inventory *inventory, const struct gpu_visible *visible);
void visible_hide_amd(struct gpu_inventory *inventory, const struct gpu_visible *visible);

#endif
