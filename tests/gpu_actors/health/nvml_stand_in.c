/* A stand-in for NVIDIA's management library: what it answers stands in the file named by NVML_STAND_IN, read
 * anew at each call, one "key value" a line. Keys: count, init, and for each device N: N.name, N.uuid, N.capability
 * (major.minor), N.free and N.total (bytes), N.utilisation, N.temperature, N.reasons, N.ecc, N.xid (a new value is
 * a new event), N.samples (pairs MICROSECONDS:PERCENT with spaces between), and N.FUNCTION.error, the status that this function returns for it. Only what medkg calls.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned int uint;
typedef unsigned long long ull;
typedef struct { ull total, free, used; } memory_t;
typedef struct { uint gpu, memory; } rates_t;
typedef struct { void *device; ull type, data; uint gpu_instance, compute_instance; } event_t;

static int look(const char *key, char *value, size_t size) {
    char line[512], name[128], rest[384];
    const char *path = getenv("NVML_STAND_IN");
    FILE *file = path ? fopen(path, "r") : NULL;
    int found = 0;
    if (!file) return 0;
    while (!found && fgets(line, sizeof line, file))
        if (sscanf(line, "%127s %383[^\n]", name, rest) == 2 && !strcmp(name, key)) {
            snprintf(value, size, "%s", rest);
            found = 1;
        }
    fclose(file);
    return found;
}

static ull number(const char *key, ull otherwise) {
    char value[384];
    return look(key, value, sizeof value) ? strtoull(value, NULL, 0) : otherwise;
}

static int index_of(void *device) { return (int)(long)device - 1; }

static ull of(void *device, const char *field, ull otherwise) {
    char key[128];
    snprintf(key, sizeof key, "%d.%s", index_of(device), field);
    return number(key, otherwise);
}

#define STATUS(device, function) \
    do { int status = (int)of(device, #function ".error", 0); if (status) return status; } while (0)

static int text(void *device, const char *field, const char *otherwise, char *out, uint size) {
    char key[128];
    snprintf(key, sizeof key, "%d.%s", index_of(device), field);
    if (!look(key, out, size)) snprintf(out, size, "%s-%d", otherwise, index_of(device));
    return 0;
}

int nvmlInitWithFlags(uint flags) { (void)flags; return (int)number("init", 0); }
int nvmlInit_v2(void) { return (int)number("init", 0); }
int nvmlShutdown(void) { return 0; }
const char *nvmlErrorString(int status) { (void)status; return "as the stand-in was told"; }
int nvmlDeviceGetCount_v2(uint *count) { *count = (uint)number("count", 0); return 0; }

int nvmlDeviceGetHandleByIndex_v2(uint index, void **device) {
    if (index >= number("count", 0)) return 2;
    *device = (void *)(long)(index + 1);
    STATUS(*device, nvmlDeviceGetHandleByIndex);
    return 0;
}

int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    char own[96];
    for (uint index = 0; index < number("count", 0); index++) {
        *device = (void *)(long)(index + 1);
        text(*device, "uuid", "GPU", own, sizeof own);
        if (!strcmp(own, uuid)) return 0;
    }
    return 6;
}

int nvmlDeviceGetIndex(void *device, uint *index) { *index = (uint)index_of(device); return 0; }
int nvmlDeviceGetName(void *device, char *out, uint size) { return text(device, "name", "Stand-in", out, size); }
int nvmlDeviceGetUUID(void *device, char *out, uint size) { return text(device, "uuid", "GPU", out, size); }

int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
    char value[16];
    text(device, "capability", "9.0", value, sizeof value);
    return sscanf(value, "%d.%d", major, minor) == 2 ? 0 : 999;
}

int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
    STATUS(device, nvmlDeviceGetMemoryInfo);
    memory->total = of(device, "total", 150ull << 30);
    memory->free = of(device, "free", 150ull << 30);
    memory->used = memory->total - memory->free;
    return 0;
}

int nvmlDeviceGetUtilizationRates(void *device, rates_t *rates) {
    STATUS(device, nvmlDeviceGetUtilizationRates);
    rates->gpu = (uint)of(device, "utilisation", 0);
    rates->memory = 0;
    return 0;
}

int nvmlDeviceGetTemperature(void *device, uint sensor, uint *degrees) {
    (void)sensor;
    STATUS(device, nvmlDeviceGetTemperature);
    *degrees = (uint)of(device, "temperature", 40);
    return 0;
}

int nvmlDeviceGetCurrentClocksEventReasons(void *device, ull *reasons) {
    STATUS(device, nvmlDeviceGetCurrentClocksEventReasons);
    *reasons = of(device, "reasons", 0);
    return 0;
}

int nvmlDeviceGetTotalEccErrors(void *device, uint type, uint counter, ull *errors) {
    (void)type; (void)counter;
    STATUS(device, nvmlDeviceGetTotalEccErrors);
    *errors = of(device, "ecc", 0);
    return 0;
}

static void *registered;
static ull told;

typedef struct { ull moment; union { double d; uint ui; ull ull_; } value; } sample_t;

int nvmlDeviceGetSamples(void *device, uint type, ull since, int *value_type, uint *count, sample_t *samples) {
    char line[384] = "", *next;
    uint found = 0;
    (void)type;
    STATUS(device, nvmlDeviceGetSamples);
    text(device, "samples", "", line, sizeof line);
    *value_type = 1;
    for (next = strtok(line, " "); next; next = strtok(NULL, " ")) {
        ull moment;
        uint percent;
        if (sscanf(next, "%llu:%u", &moment, &percent) != 2 || moment <= since) continue;
        if (samples) {
            samples[found].moment = moment;
            samples[found].value.ui = percent;
        }
        found++;
    }
    *count = found;
    return found ? 0 : 6;
}

int nvmlEventSetCreate(void **set) { *set = &registered; told = 0; return 0; }
int nvmlEventSetFree(void *set) { (void)set; return 0; }

int nvmlDeviceRegisterEvents(void *device, ull types, void *set) {
    (void)types; (void)set;
    STATUS(device, nvmlDeviceRegisterEvents);
    registered = device;
    return 0;
}

int nvmlEventSetWait_v2(void *set, event_t *event, uint milliseconds) {
    (void)set;
    for (uint waited = 0; waited <= milliseconds; waited += 5) {
        ull xid = of(registered, "xid", 0);
        if (xid && xid != told) {
            told = xid;
            memset(event, 0, sizeof *event);
            event->device = registered;
            event->type = 8;
            event->data = xid;
            return 0;
        }
        usleep(5000);
    }
    return 10; /* NVML_ERROR_TIMEOUT */
}
